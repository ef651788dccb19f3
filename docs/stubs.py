"""The stubs that editors and type checkers read in place of modules whose names or signatures are computed.

The types of options are the annotations of ``FitOptions`` and ``BatchOptions``, those of other arguments the
annotations of the functions; ``fastgd/_types.pyi`` says what their names mean. ``python docs/tables.py`` writes all.
"""

import ast
import inspect
import re
from pathlib import Path

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.functions.batch_options import BatchOptions
from fastgd.inputs.options import FIELDS
from fastgd.linear.lr_find import FUNCTION_OPTIONS
from fastgd.linear.sweep import AXES
from fastgd.parts.registry import protocol_of, snake_case

PACKAGE = Path(fastgd.__file__).parent
TYPES = PACKAGE / "_types.pyi"
HEAD = '"""Written by ``python docs/tables.py``."""'
RETURNED = {
    "fit": "FitResult",
    "lr_find": "LrFind",
    "local_sgd": "FitResult",
    "minimize": "MinimizeResult",
    "minimize_sweep": "SweepResult[MinimizeResult]",
    "partial_fit": "FitResult",
    "sweep": "SweepResult[FitResult]",
}
# Calls of several kinds: of each the types that are its own, and what it returns; checkers take the first that fits.
KINDS = {
    "sweep": [({"cv": "None"}, "SweepResult[FitResult]"), ({"cv": "Folds"}, "CrossValidation")],
    "lr_find": [
        ({"X": "Rows", "y": "ArrayLike | None", "grad": "None"}, "LrFind"),
        ({"X": "Callable[..., Any]", "y": "Parameters", "data": "Any"}, "LrFind"),
    ],
}
# What scikit-learn's classes have in common; a base that is scikit-learn's own says nothing to checkers.
OF_ESTIMATORS = """\
coef_: NDArray[Any]
intercept_: NDArray[Any]
n_iter_: int
t_: float
loss_curve_: NDArray[Any]
choices_: dict[str, str]
n_features_in_: int
feature_names_in_: NDArray[Any]
def fit(
    self,
    X: Rows,
    y: ArrayLike | None = None,
    coef_init: ArrayLike | None = None,
    intercept_init: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Self: ...
def predict(self, X: Rows) -> Any: ...
def score(self, X: Rows, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> float: ...
def densify(self) -> Self: ...
def sparsify(self) -> Self: ...
def get_params(self, deep: bool = True) -> dict[str, Any]: ...
def set_params(self, **params: Any) -> Self: ..."""
ESTIMATORS = {
    "SGDRegressor": """\
def partial_fit(
    self, X: Rows, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
) -> Self: ...""",
    "SGDClassifier": """\
classes_: NDArray[Any]
def partial_fit(
    self,
    X: Rows,
    y: ArrayLike | None = None,
    classes: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Self: ...
def decision_function(self, X: Rows) -> Any: ...
def predict_proba(self, X: Rows) -> Any: ...
def predict_log_proba(self, X: Rows) -> Any: ...""",
}
SWEEP_CV = """\
class SweepCV(GridSearchCV):
    cv_results_: dict[str, Any]
    best_estimator_: Any
    best_score_: float
    best_params_: dict[str, Any]
    best_index_: int
    refit_time_: float
    n_splits_: int
    def __init__(
        self,
        estimator: SGDRegressor | SGDClassifier,
        param_grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., Any] = True,
        cv: Folds | None = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | Literal["raise"] = ...,
        return_train_score: bool = False,
    ) -> None: ...
    def fit(self, X: Rows, y: ArrayLike | None = None, **params: Any) -> Self: ..."""
NOT_OF_PARTS = """\
class _Part(tuple[Any, ...]):
    _fields: ClassVar[tuple[str, ...]]
    def _asdict(self) -> dict[str, Any]: ...
    def _replace(self, **fields: Any) -> Self: ..."""


def stubs():
    """The text of each stub, by its path."""
    found = {
        PACKAGE / f"{name}.pyi": parts_stub(module, name)
        for name, module in (("losses", losses), ("optimizers", optimizers), ("schedules", schedules))
    }
    return {PACKAGE / "__init__.pyi": package_stub(), PACKAGE / "reference.pyi": reference_stub(), **found}


def package_stub():
    """Each public name, and in full the signatures of functions with options."""
    submodules = [name for name in fastgd.__all__ if name not in fastgd._MODULES]
    written = {*RETURNED, *ESTIMATORS, "SweepCV"}
    plain = {name: module for name, module in fastgd._MODULES.items() if name not in written}
    lines = [f"from . import {name} as {name}" for name in submodules]
    lines += sorted(f"from .{module} import {name} as {name}" for name, module in plain.items())
    lines += ["", f"__all__ = {listed(fastgd.__all__)}", "__version__: str", "", "def __dir__() -> list[str]: ..."]
    for name in RETURNED:
        lines += ["", *signatures(name, getattr(fastgd, name))]
    for name, own in ESTIMATORS.items():
        lines += ["", *estimator_stub(name, own)]
    return with_imports([*lines, "", SWEEP_CV])


def estimator_stub(name, own):
    """The lines of an estimator: its parameters, what both have, and its own."""
    made, lines = getattr(fastgd, name), []
    parameters = [*inspect.signature(made).parameters.values()]
    types = {one.name: made.__dataclass_fields__[one.name].type for one in parameters}
    mixin = name.removeprefix("SGD") + "Mixin"
    lines += [f"{key}: {kind}" for key, kind in types.items()]
    lines += ["def __init__(", "    self,", *arguments(parameters, types, ()), ") -> None: ..."]
    lines += [*OF_ESTIMATORS.splitlines(), *own.splitlines()]
    return [f"class {name}({mixin}, BaseEstimator):", *(f"    {line}" for line in lines)]


def reference_stub():
    """The calls of the package, but those whose options are others."""
    same = [name for name in reference.__all__ if name != "minimize"]
    lines = ["from . import MinimizeResult", *(f"from . import {name} as {name}" for name in same)]
    lines += ["", f"__all__ = {listed(reference.__all__)}", "", "def __dir__() -> list[str]: ..."]
    return with_imports([*lines, "", *signatures("minimize", reference.minimize, fastgd.minimize)])


def signatures(name, function, annotated=None):
    """The lines of a function's stub; ``annotated`` has the annotations, where the function has not."""
    kinds, lines = KINDS.get(name, [({}, RETURNED[name])]), []
    for own, returned in kinds:
        known = [one for one in inspect.signature(function).parameters.values() if one.name != "options"]
        if "data" in own:  # of a function over data
            first = [one for one in known if one.name not in FIELDS or one.name == "start"]
            known = [*first, *of_functions()]
        types = {one.name: own.get(one.name) or type_of(name, one.name, annotated or function, own) for one in known}
        needed = {key for key, kind in own.items() if "None" not in kind}
        lines += ["@overload"] * (len(kinds) > 1) + [
            f"def {name}(",
            *arguments(known, types, needed),
            f") -> {returned}: ...",
        ]
    return lines


def of_functions():
    """The options of lr_find of a function."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(name, kind, default=value) for name, value in FUNCTION_OPTIONS.items()]


def arguments(parameters, types, needed):
    """The lines of a function's arguments; those ``needed`` have no default."""
    lines = []
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and "    *," not in lines:
            lines.append("    *,")
        default = "" if one.default is one.empty or one.name in needed else f" = {literal(one.default)}"
        lines.append(f"    {one.name}: {types[one.name]}{default},")
    return lines


def type_of(call, name, function, own):
    """The type of an argument of a call, which may take several values of it."""
    found = inspect.unwrap(function).__annotations__.get(name)
    if found is not None:
        return found
    if call == "local_sgd":
        return FIELDS[name].type
    if call.startswith("minimize") or "data" in own:
        of_data = BatchOptions.__dataclass_fields__
        return of_data[name].type if name in of_data else inspect.unwrap(fastgd.minimize).__annotations__[name]
    known = FIELDS[name].type
    return f"{known} | Values[{known}]" if call == "sweep" and name in AXES else known


def literal(value):
    """A default as code."""
    return repr(value).replace("'", '"')


def parts_stub(module, kind):
    """The part classes of a module: their fields, of which sweeps take lists, and their methods."""
    names = [snake_case(name) for name in module.__all__]
    lines = [f"__all__ = {listed(module.__all__)}", f"_Name: TypeAlias = Literal{listed(names)}", ""]
    lines += ["def __dir__() -> list[str]: ...", "", *NOT_OF_PARTS.splitlines()]
    for name in module.__all__:
        lines += ["", *part_stub(name, getattr(module, name), kind)]
    return with_imports(lines)


def part_stub(name, part, kind):
    """The lines of a part class."""
    text = inspect.getdoc(part).replace("\\", "\\\\")
    lines = [f"class {name}(_Part):", *f'"""{text}\n"""'.splitlines()]
    fields = part._field_defaults
    lines += [f"{field}: {'Any' if field == 'then' else 'float'}" for field in fields]
    asked = [f"{field}: {'Rate' if field == 'then' else 'Number'} = {shown(value)}" for field, value in fields.items()]
    lines += ["def __new__(", "    cls,", *(f"    {one}," for one in asked), ") -> Self: ..."]
    for method, known in protocol_of(kind, part).methods.items():
        if getattr(part, method, None) is not None:
            taken = ", ".join(f"{one}: Any" for one in known.arguments.split(", "))
            lines.append(f"def {method}(self, {taken}) -> Any: ...")
    return [lines[0], *(f"    {line}" if line else "" for line in lines[1:])]


def shown(value):
    """The default of a field as code."""
    return "..." if hasattr(value, "_fields") else literal(value)


def listed(names):
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def with_imports(lines):
    """The text of a stub, with the imports of what its lines name."""
    text = "\n".join(lines) + "\n"
    words = set(re.findall(r"\w+", re.sub(r'"""(.|\n)*?"""', "", text)))
    known, imports = imported(TYPES), []
    for module in sorted(set(known.values())):
        used = sorted(name for name, where in known.items() if where == module and name in words)
        imports += [f"from {module} import {', '.join(used)}"] * bool(used)
    return "\n".join([HEAD, "", *imports, *[""] * (not text.startswith("from ")), text])


def imported(path):
    """Which names a stub may need, and where from."""
    standard = dict.fromkeys(("Any", "ClassVar", "Literal", "Self", "TypeAlias", "overload"), "typing")
    body, found = ast.parse(path.read_text()).body, {}
    for node in body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            found |= {alias.name: node.module for alias in node.names}
        elif isinstance(node, (ast.AnnAssign, ast.ClassDef)):
            found[node.target.id if isinstance(node, ast.AnnAssign) else node.name] = "._types"
    base = dict.fromkeys(("BaseEstimator", "ClassifierMixin", "RegressorMixin"), "sklearn.base")
    return found | standard | base | {"GridSearchCV": "sklearn.model_selection", "Source": ".sources.base"}
