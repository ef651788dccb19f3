"""The options of a fit: one table, from which signatures, messages and documentation follow."""

import inspect
import re

import numpy as np
import pytest

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.inputs.options import FIELDS, FitOptions
from fastgd.parts.aliases import ALIASES
from fastgd.parts.registry import snake_case

X, Y = np.arange(6.0)[:, None], np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0])
# Written down here: what each call does not take of the options of fit.
NOT_CHUNKS = {"epochs", "max_steps", "tol", "validation", "patience", "evaluate", "bootstrap", "resume", "engine"}
NOT_RANGE = {
    "learning_rate", "epochs", "max_steps", "tol", "validation", "patience", "evaluate", "average", "bootstrap",
    "callback", "start", "resume",
}  # fmt: skip
NOT_SWEEP = {"bootstrap", "resume"}
CALLS = {
    "fit": (fastgd.fit, ["X", "y"], set()),
    "partial_fit": (fastgd.partial_fit, ["X", "y", "r", "classes"], NOT_CHUNKS),
    "sweep": (
        fastgd.sweep, ["X", "y", "product", "cv", "groups", "scoring", "refit", "keep"], NOT_SWEEP
    ),
    "lr_find": (fastgd.lr_find, ["X", "y", "grad", "start", "stop", "num"], NOT_RANGE),
    "reference.fit": (reference.fit, ["X", "y"], set()),
    "reference.sweep": (
        reference.sweep, ["X", "y", "product", "cv", "groups", "scoring", "refit", "keep"], NOT_SWEEP
    ),
    "reference.lr_find": (reference.lr_find, ["X", "y", "grad", "start", "stop", "num"], NOT_RANGE),
}  # fmt: skip


def call(name):
    """A call on small data with options."""
    function = CALLS[name][0]
    return lambda **options: function(X, Y, **options)


# Signatures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_signatures_are_the_table(name):
    function, own, refused = CALLS[name]
    parameters = inspect.signature(function).parameters
    assert list(parameters) == own + [option for option in FIELDS if option not in refused]
    of_chunks = {"shuffle": False} if name == "partial_fit" else {}
    for option in set(FIELDS) - refused - set(own):
        assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[option].default is of_chunks.get(option, FIELDS[option].default)


def test_defaults():
    """The ones that are documented, by hand."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(fastgd.fit).parameters.items()}
    automatic = {"optimizer", "learning_rate", "batch_size", "standardize", "epochs", "tol"}
    assert {name for name, default in defaults.items() if isinstance(default, str) and default == "auto"} == automatic
    assert {name: defaults[name] for name in ("loss", "alpha", "l1_ratio", "shuffle", "patience", "bootstrap")} == {
        "loss": "squared_error", "alpha": 0.0, "l1_ratio": 0.0, "shuffle": "block", "patience": 5, "bootstrap": 0,
    }  # fmt: skip
    assert defaults["fit_intercept"] is True
    assert all(defaults[name] is False for name in ("evaluate", "average", "lazy"))


@pytest.mark.parametrize("name", CALLS)
def test_options_are_keyword_only(name):
    function, own, _ = CALLS[name]
    positional = [p for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    places = own[:3] if "lr_find" in name else own[:2] if "sweep" in name else own
    assert [p.name for p in positional] == places
    extra = [p.default for p in positional[2:]]
    with pytest.raises(TypeError, match="positional argument"):
        function(X, Y, *extra, "squared_error")


# Options that a call does not have ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_option_names_the_nearest(name):
    known = name.removeprefix("reference.")
    with pytest.raises(TypeError, match=rf"^{known}\(\).*'zzzz'\. Valid are: ") as raised:
        call(name)(zzzz=1)
    assert set(str(raised.value).split(": ")[1].rstrip(".").split(", ")) == {*CALLS[name][1][2:], *FIELDS} - (
        CALLS[name][2] - set(CALLS[name][1])
    )
    with pytest.raises(TypeError, match=rf"^{known}\(\).*'batch_sise'\. Did you mean 'batch_size'\?$"):
        call(name)(batch_sise=1)


@pytest.mark.parametrize(
    "function, given, meant",
    [
        (fastgd.sweep, "scorin", "'scoring'"),
        (fastgd.lr_find, "num_steps", "'num'"),
        (fastgd.partial_fit, "clases", "'classes'"),
        (fastgd.fit, "lr", "'learning_rate'"),
        (fastgd.fit, "C", "'alpha'"),
        (fastgd.fit, "penalty", "'alpha' or 'l1_ratio'"),
        (fastgd.fit, "solver", "'optimizer'"),
        (fastgd.fit, "max_iter", "'epochs'"),
        (fastgd.fit, "lambda_", "'alpha'"),
        (fastgd.fit, "l1", "'alpha' or 'l1_ratio'"),
        (fastgd.fit, "n_jobs", "'n_threads'"),
        (fastgd.fit, "momentum", "'optimizer'"),
        (fastgd.partial_fit, "minibatch", "'batch_size'"),
        (fastgd.sweep, "folds", "'cv'"),
        (fastgd.minimize, "maxiter", "'epochs' or 'max_iter'"),
        (fastgd.minimize_sweep, "fprime", "'grad' or 'jac'"),
        (fastgd.lr_find, "rng", "'random_state'"),
    ],
)
def test_what_was_meant(function, given, meant):
    with pytest.raises(TypeError, match=rf"unexpected option '{given}'\. Did you mean {meant}\?$"):
        function(X, Y, **{given: 1})


@pytest.mark.parametrize(
    "given, remedy",
    [("target", "Pass the targets as y"), ("dtype", "X.astype"), ("delta", "Huber"), ("tau", "Quantile")],
)
def test_what_is_no_option_of_a_fit_goes_elsewhere(given, remedy):
    with pytest.raises(TypeError, match=rf"unexpected option '{given}'\. .*{remedy}"):
        fastgd.fit(X, Y, **{given: 1})


@pytest.mark.parametrize(
    "made, given, meant",
    [
        (fastgd.optimizers.Adam, "beta", "'beta1' or 'beta2'"),
        (fastgd.optimizers.Nesterov, "momentum", "'beta'"),
        (fastgd.losses.Huber, "epsilon", "'delta'"),
        (fastgd.losses.Quantile, "tau", "'quantile'"),
        (fastgd.schedules.Cosine, "lr", "'initial'"),
        (fastgd.sources.csv, "path", "'paths'"),
        (fastgd.sources.parquet, "columns", "'features'"),
        (fastgd.warmup, "loss", "'losses'"),
        (fastgd.SGDRegressor, "epochs", "'max_iter'"),
        (fastgd.SGDClassifier, "C", "'alpha'"),
    ],
)
def test_what_was_meant_of_parts_sources_and_estimators(made, given, meant):
    with pytest.raises(TypeError, match=rf"^{made.__name__}\(\).*'{given}'\. Did you mean {meant}\?$"):
        made(**{given: 1})


@pytest.mark.parametrize(
    "option, given, meant",
    [
        ("loss", "mae", "'absolute_error'"),
        ("loss", "L2", "'squared_error'"),
        ("loss", "cross-entropy", "'log_loss' or 'multinomial'"),
        ("loss", "rmse", "'squared_error' or 'mse'"),
        ("optimizer", "L-BFGS-B", "'newton'"),
        ("optimizer", "saga", "'newton' or 'sgd'"),
        ("optimizer", "Adam", "'adam'"),
        ("learning_rate", "cosine_annealing", "'cosine'"),
        ("learning_rate", "ReduceLROnPlateau", "'plateau'"),
    ],
)
def test_which_part_was_meant(option, given, meant):
    with pytest.raises(ValueError, match=rf"^{option}='{given}' is not known\. Did you mean {meant}\? Valid are: "):
        fastgd.fit(X, Y, **{option: given})


def test_aliases_mean_names():
    """Each is a name in lower case that some call, part, source or estimator knows."""
    calls = [fastgd.minimize, fastgd.lr_find, fastgd.partial_fit, fastgd.sweep]
    calls += [fastgd.SGDClassifier, fastgd.engines.Dask]
    calls += [getattr(fastgd.sources, name) for name in fastgd.sources.__all__]
    parts = [getattr(module, name) for module in (losses, optimizers, schedules) for name in module.__all__]
    known = {name for call in (*calls, *parts) for name in inspect.signature(call).parameters}
    known |= {*FIELDS, "newton", *(snake_case(part.__name__) for part in parts)}
    assert {name for meant in ALIASES.values() for name in meant} <= known
    assert all(re.fullmatch("[a-z0-9_]+", alias) for alias in ALIASES)
    assert not [alias for alias, meant in ALIASES.items() if alias in meant]


def test_unknown_options_are_no_options():
    """Also where no public call has looked at them."""
    with pytest.raises(TypeError, match=r"'alhpa'.*'alpha'"):
        FitOptions.checked({"alhpa": 3})


@pytest.mark.parametrize("option", ["loss", "optimizer", "learning_rate", "batch_size", "alpha", "l1_ratio"])
def test_several_values_are_for_sweep(option):
    for several in ([0.1, 0.2], (0.1, 0.2), np.array([0.1, 0.2])):
        with pytest.raises(TypeError, match=rf"^{option}=.* holds several values: .* fastgd\.sweep\.$"):
            fastgd.fit(X, Y, **{option: several})


@pytest.mark.parametrize("name", CALLS)
def test_a_refused_option_says_why_even_at_its_default(name):
    known, refused = name.removeprefix("reference."), CALLS[name][2]
    for option in sorted(refused - {"start"}):
        message = rf"^{known}\(\) does not take {option}: [a-z].{{10,}}\. Leave it out\.$"
        with pytest.raises(TypeError, match=message):
            call(name)(**{option: FIELDS[option].default})


def test_reasons():
    with pytest.raises(TypeError) as raised:
        fastgd.partial_fit(X, Y, epochs=3)
    assert str(raised.value) == "partial_fit() does not take epochs: each chunk is passed over once. Leave it out."
    with pytest.raises(TypeError, match=r"^sweep\(\) does not take bootstrap: bootstrap one of its settings with fit"):
        fastgd.sweep(X, Y, bootstrap=10)
    with pytest.raises(TypeError, match=r"^lr_find\(\) does not take learning_rate: it is what is looked for"):
        fastgd.lr_find(X, Y, learning_rate=0.1)


# Documentation ------------------------------------------------------------------------------------------------------


def test_every_option_has_its_paragraph_in_the_docstring_of_fit():
    """And no other: the parameters of the section, in whatever order, one line each that is not indented."""
    doc = inspect.getdoc(fastgd.fit)
    section = doc[doc.index("Parameters\n----------\n") : doc.index("Returns\n-------\n")]
    heads = [line for line in section.splitlines()[2:] if line and not line.startswith(" ")]
    named = [name for head in heads for name in head.split(" : ")[0].split(", ")]
    assert sorted(named) == sorted(["X", "y", *FIELDS])
    for head in heads:
        name, words = head.split(" : ")
        if name not in FIELDS:
            continue
        default = re.search(r"default (.+)$", words)
        assert default, head
        assert default[1].strip('"') == str(FIELDS[name].default), head


@pytest.mark.parametrize("name", ["partial_fit", "sweep"])
def test_other_calls_say_which_options_they_take(name):
    """Words in double backquotes: the options that partial_fit takes are listed, those that sweep refuses are."""
    doc = inspect.getdoc(CALLS[name][0])
    listed = {option for option in FIELDS if f"``{option}``" in doc[doc.index("**options") : doc.index("Returns\n---")]}
    if name == "sweep":
        assert listed >= NOT_SWEEP
    else:
        assert set(FIELDS) - listed - NOT_CHUNKS <= {"lazy", "parallel"}
        assert not listed & NOT_CHUNKS


# Canonical values ---------------------------------------------------------------------------------------------------


def checked(**given):
    """Options that are checked."""
    return FitOptions.checked(given)


def test_values_are_canonical():
    assert checked(shuffle=True).shuffle == "block"
    assert checked(shuffle=False).shuffle is False
    assert checked(batch_size=None).batch_size == checked(batch_size="full").batch_size == "full"
    assert checked().batch_size == "auto"
    assert checked(batch_size=np.int64(7)).batch_size == 7
    assert checked(average=True).average == 1
    assert checked(average=5).average == 5
    assert checked(average=False).average is None
    assert checked(n_threads=3).n_threads == 3
    assert isinstance(checked(n_threads=None).n_threads, int)
    assert checked().n_threads >= 1
    assert checked(loss="huber").loss == losses.Huber()
    assert checked(loss=losses.Huber(delta=2.0)).loss == losses.Huber(delta=2.0)
    assert checked(optimizer="adam").optimizer == optimizers.Adam()
    assert checked(optimizer="auto").optimizer == "auto"
    assert checked(learning_rate=0.5).learning_rate == schedules.Constant(0.5)
    assert (checked(epochs=3).epochs, checked().epochs) == (3, "auto")
    assert (checked(tol=None).tol, checked(tol=1).tol) == (None, 1.0)
    assert checked(random_state=5).random_state == 5


def test_a_seed_that_is_not_given_is_drawn_once():
    first, second = checked(), checked()
    assert isinstance(first.random_state, int)
    assert first.random_state != second.random_state
    assert first.replace(epochs=3).random_state == first.random_state
    assert (
        checked(random_state=np.random.default_rng(1)).random_state
        == checked(random_state=np.random.default_rng(1)).random_state
    )


def test_shuffle_true_is_the_default_and_full_is_none():
    kinds = {"learning_rate": 0.01, "epochs": 2, "random_state": 0}
    true, block = (fastgd.fit(X, Y, batch_size=2, shuffle=shuffle, **kinds) for shuffle in (True, "block"))
    assert true.coef.tobytes() == block.coef.tobytes()
    none, full = (fastgd.fit(X, Y, batch_size=size, **kinds) for size in (None, "full"))
    assert none.coef.tobytes() == full.coef.tobytes()
    assert none.n_steps == 2


@pytest.mark.parametrize(
    "given, message",
    [
        ({"alpha": -1.0}, "alpha=-1 "),
        ({"l1_ratio": 1.5}, "l1_ratio=1.5"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": "all"}, "batch_size='all'"),
        ({"shuffle": "rows"}, "shuffle='rows'"),
        ({"epochs": -1}, "epochs=-1"),
        ({"epochs": None}, "epochs=None"),
        ({"max_steps": "auto"}, "max_steps='auto'"),
        ({"tol": -1e-3}, "tol=-0.001"),
        ({"patience": 0}, "patience=0"),
        ({"fit_intercept": "yes"}, "fit_intercept='yes'"),
        ({"n_threads": 0}, "n_threads=0"),
        ({"parallel": "threads"}, "parallel='threads'"),
        ({"lazy": 2}, "lazy=2"),
        ({"evaluate": "no"}, "evaluate='no'"),
        ({"loss": "hubber"}, "huber"),
        ({"optimizer": "adamm"}, "adam"),
        ({"learning_rate": "cosin"}, "cosine"),
        ({"random_state": -1}, "random_state=-1"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_it(given, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        checked(**given)
