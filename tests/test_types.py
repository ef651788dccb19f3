"""What editors and type checkers read of the package: stubs that are the package, snippets without a fault."""

import ast
import inspect
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import blocks
from snippets import pages as documented

import fastgd

ROOT = Path(__file__).parent.parent
STUBS = runpy.run_path(str(ROOT / "docs" / "stubs.py"))["stubs"]()
NOT_PAGES = {"auto_gallery", "generated", "_build"}
# Faults that checkers find in right code.
NOT_FAULTS = [
    r"Expression value is unused|does not return a value",  # a notebook's way to show a value
    # mypy takes a dict's values for one type, and wants a proof that a result is there after a loop.
    r"^note: |^error: \"object\" has no attribute|Item \"None\" of|Need type annotation",
    # mypy takes the traits of a part, which are no fields, for some.
    r"Invalid statement in NamedTuple definition|Missing positional argument \"\w+\" in call to \"[A-Z]\w*\" ",
]
# What pages have seen to: a match that is there, a result after a loop.
OPTIONAL = "reportOptionalSubscript", "reportOptionalMemberAccess", "reportOptionalIterable"
WRONG = """\
import fastgd
X, y = [[1.0], [2.0]], [1.0, 2.0]
fastgd.fit(X, y, lr=0.1)
fastgd.fit(X, y, loss=3)
fastgd.fit(X, y, loss=fastgd.losses.Huber)
fastgd.fit(X, y, standardize="yes")
fastgd.sweep(X, y, alphas=[0.1, 1.0])
fastgd.sweep(X, y, epochs=[1, 2])
fastgd.partial_fit(X, y, epochs=3)
fastgd.lr_find(X, y, learning_rate=0.1)
fastgd.minimize(len, [1.0], maxiter=3)
fastgd.minimize_sweep(len, [1.0], epochs=[3])
fastgd.reference.minimize(len, [1.0], compile=True)
fastgd.losses.Huber(epsilon=1.35)
fastgd.optimizers.Adam(0.9, beta=0.99)
fastgd.schedules.Cosine("0.1")
fastgd.sources.parquet("flights.parquet", targets="delay")
fastgd.engines.Dask(workers=2)
fastgd.SGDRegressor(eta=0.1)
fastgd.SGDClassifier(alpha="small")
fastgd.fit(X, y).coefs
fastgd.sweep(X, y, alpha=[0.1]).scores
fastgd.fit(X, y).save()
fastgd.optimizers.Adm()
fastgd.fitt
"""
RIGHT = """\
import numpy as np
import fastgd
from fastgd.optimizers import Adam, Momentum
X, y = np.ones((3, 2)), np.ones(3)
r = fastgd.fit(X, y, loss="huber", bounds=(0, None), validation=(X, y), epochs=3, random_state=np.random.default_rng(0))
fastgd.fit([[1.0]], [1], loss=fastgd.losses.Huber(2.0), start=r, batch_size=None)
fastgd.fit(X, y, learning_rate=fastgd.schedules.Warmup(0.1), optimizer=Adam(), shuffle=False)
word = "".join(["mse"])
s = fastgd.sweep(X, y, loss=[word, "huber"], alpha=np.geomspace(1, 2, 3), optimizer=[Momentum(beta=[0.5, 0.9]), "adam"])
c = fastgd.sweep(X, y, alpha=[0.1, 1], cv=5, bounds=[(0, 1), (0, 2)], l1_ratio=range(2))
o = fastgd.minimize(lambda x: x @ x, [1.0, 2.0], True, optimizer=Adam(beta1=0.8), bounds=({"W": 0.0}, None))
f = fastgd.lr_find(lambda w, x: 0.0, {"w": 1.0}, data=X, batch_size=32, alpha=0.1)
fastgd.reference.fit(X, y, alpha=1).coef.round(2)
m = fastgd.SGDClassifier("log_loss", alpha=0.1, class_weight={0: 1.0}, random_state=0).fit(X, y)
once = Adam(0.9).beta1 + 1
def known(name: str) -> float:
    return fastgd.fit(X, y, loss=name, optimizer=name).loss
reveal_type(fastgd.fit)
reveal_type(r.history.loss)
reveal_type(s.best)
reveal_type(c.simplest)
reveal_type(o.status)
reveal_type(f.suggestion())
reveal_type(fastgd.sources.csv("x.csv"))
reveal_type(m)
"""
REVEALED = ["loss:", "ndarray", "FitResult", "FitResult", "str", "float", "Source", "SGDClassifier"]


def code_of(page):
    """The Python of a page, each line where it stands."""
    text = page.read_text()
    if page.suffix == ".py":
        return text
    lines = [""] * (text.count("\n") + 1)
    for block in blocks(text):
        code = block.code.splitlines() if block.language == "python" else []
        lines[block.line - 1 : block.line - 1 + len(code)] = code
    return "\n".join(lines) + "\n"


def unpacked(page):
    """The lines of calls with ``**options``, a dict that checkers take for one of any option's values."""
    calls = (node for node in ast.walk(ast.parse(code_of(page))) if isinstance(node, ast.Call))
    lines = [range(one.lineno, one.end_lineno + 1) for one in calls if any(key.arg is None for key in one.keywords)]
    return {line for some in lines for line in some}


def pages():
    """All pages with Python, and the scripts that draw their pictures."""
    scripts = [script for folder in (ROOT / "docs").glob("*/") for script in folder.rglob("*.py")]
    found = [*documented(), *(script for script in scripts if not NOT_PAGES & {*script.parts})]
    return [page for page in found if code_of(page).strip()]


def written(folder):
    """The code of each page in a file of its own, by its name, and stubs in place of other packages than NumPy.

    They are most of the time of a check, and what they are to a checker depends on their versions.
    """
    names = {"planted.py": None, "right.py": None}
    (folder / "planted.py").write_text(WRONG)
    (folder / "right.py").write_text(RIGHT)
    for page in pages():
        name = re.sub(r"\W", "_", str(page.relative_to(ROOT))) + ".py"
        (folder / name).write_text(code_of(page))
        names[name] = page
    modules = {"sklearn.base", "sklearn.model_selection"}
    for name in names:
        for node in ast.walk(ast.parse((folder / name).read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                modules |= {node.module} if isinstance(node, ast.ImportFrom) else {alias.name for alias in node.names}
    for module in modules:
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "fastgd"):
            parts = module.split(".")
            for k in range(len(parts)):
                place = folder.joinpath("stubs", *parts[: k + 1])
                place.mkdir(parents=True, exist_ok=True)
                (place / "__init__.pyi").write_text("from typing import Any\ndef __getattr__(name: str) -> Any: ...\n")
    return names


def is_fault(words):
    """Whether what a checker says is about the page."""
    return not any(re.search(pattern, words) for pattern in NOT_FAULTS)


def told(command, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": f"{folder / 'stubs'}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["basedpyright", "mypy"])
def told_by(request, tmp_path_factory):
    """What a checker says of all pages in one run: (file, line, words), and the pages by file."""
    pytest.importorskip(request.param)
    folder = tmp_path_factory.mktemp("pages")
    names = written(folder)
    if request.param == "mypy":
        options = [
            "--follow-imports=silent",
            "--ignore-missing-imports",
            "--scripts-are-modules",
            "--allow-redefinition",
        ]
        found = told([sys.executable, "-m", "mypy", "--cache-dir=.mypy", *options, *names], folder)
        lines = re.findall(r"^(\S+?):(\d+): (.*)$", found, re.MULTILINE)
        return names, [(file, int(line), words) for file, line, words in lines]
    settings = {
        "typeCheckingMode": "standard", "stubPath": "stubs", "useLibraryCodeForTypes": False,
        "include": [*names], "reportPossiblyUnbound": False, "reportPossiblyUnboundVariable": False,
        "reportMissingModuleSource": False, **dict.fromkeys(OPTIONAL, False),
    }  # fmt: skip
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    found = told(["basedpyright", "--outputjson", "--pythonpath", sys.executable], folder)
    return names, [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in json.loads(found)["generalDiagnostics"]
    ]


@pytest.mark.slow
def test_pages_have_no_fault(told_by):
    names, found = told_by
    faults = [
        f"{names[file].relative_to(ROOT)}:{line}: {words}"
        for file, line, words in found
        if names[file] and is_fault(words)
        if line not in unpacked(names[file])
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_faults_are_found(told_by):
    _, found = told_by
    lines = {line for file, line, words in found if file == "planted.py" and is_fault(words)}
    assert [line for k, line in enumerate(WRONG.splitlines(), 1) if k > 2 and k not in lines] == []


@pytest.mark.slow
def test_what_is_right_is_shown(told_by):
    _, found = told_by
    told = {line: words for file, line, words in found if file == "right.py"}
    shown = [k for k, line in enumerate(RIGHT.splitlines(), 1) if line.startswith("reveal_type")]
    assert {line: words for line, words in told.items() if line not in shown} == {}
    for line, word in zip(shown, REVEALED, strict=True):
        assert word in told[line], told[line]


def test_stubs_are_the_package():
    for path, text in STUBS.items():
        assert path.read_text() == text, f"run python docs/tables.py: {path.name} is not what it writes"
    assert (ROOT / "fastgd" / "py.typed").exists()


def described():
    """Of each function, class and method of the stubs its name, itself and its first definition."""
    for path in STUBS:
        module = fastgd if path.stem == "__init__" else getattr(fastgd, path.stem)
        found = {}
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, node.args)
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                methods = {one.name: one.args for one in node.body if isinstance(one, ast.FunctionDef)}
                found[node.name] = methods.pop("__init__", None) or methods.pop("__new__")
                found |= {f"{node.name}.{name}": args for name, args in methods.items()}
        for name, args in found.items():
            owner, _, method = name.partition(".")
            one = getattr(module, owner)
            yield f"{module.__name__}.{name}", inspect.unwrap(getattr(one, method)) if method else one, args


def test_stubs_have_the_signatures_of_the_package():
    names = {name.removeprefix("fastgd.") for name, _, _ in described()}
    assert names > {"fit", "sweep", "SGDRegressor", "SGDRegressor.fit", "SweepCV", "reference.minimize", "losses.Huber"}
    for name, one, args in described():
        known = inspect.signature(one).parameters
        arguments = [*args.posonlyargs, *args.args]
        if list(known)[:1] != ["self"] and arguments and arguments[0].arg in ("self", "cls"):
            del arguments[0]
        has = [arg.arg for arg in (*arguments, *args.kwonlyargs, *filter(None, [args.kwarg]))]
        assert has == list(known), name
        keywords = [one.name for one in known.values() if one.kind is one.KEYWORD_ONLY]
        assert [arg.arg for arg in args.kwonlyargs] == keywords, name
        optional = [arg.arg for arg in arguments[len(arguments) - len(args.defaults) :]]
        optional += [arg.arg for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value]
        if name != "fastgd.lr_find":  # of rows, its first kind, and there y may be left out with a source
            assert optional == [one.name for one in known.values() if one.default is not one.empty], name


@pytest.mark.parametrize(
    "module", [fastgd, *(getattr(fastgd, name) for name in fastgd._SUBMODULES)], ids=lambda module: module.__name__
)
def test_names_that_are_shown_are_public(module):
    """Completion shows what ``dir`` does, also of modules that are imported by now."""
    others = {"__all__", "__doc__", "__version__"} if module is fastgd else set()
    assert {*dir(module)} == {*module.__all__} | others
    assert all(hasattr(module, name) for name in dir(module))
    seen = {}
    exec(f"from {module.__name__} import *", seen)
    assert seen.keys() - {"__builtins__"} == {*module.__all__}


def test_what_is_loaded_on_first_use_is_named_for_editors():
    (block,) = (node for node in ast.parse(Path(fastgd.__file__).read_text()).body if isinstance(node, ast.If))
    named = {alias.name: node.module for node in block.body for alias in node.names}
    assert named == fastgd._MODULES
