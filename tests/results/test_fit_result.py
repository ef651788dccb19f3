"""Results that are saved, loaded and pickled: the same model, or one clear error."""

import copy
import json
import os
import pickle

import numpy as np
import pytest
from conftest import diverges, slow_to_compile
from resumed import LABELS, RNG, X, Y, facts_of, same, stop_after

import fastgd
from fastgd import losses, reference
from fastgd.results import messages, npz
from fastgd.results.state import SolverState

COUNTS = np.where(np.arange(37) % 2, 3.0, 1.0)


def as_labels(kind, low, high):
    return np.where(LABELS == "yes", high, low).astype(kind)


# name -> targets, options
KINDS = {
    "plain": (Y, {}),
    "lines": (Y, {"loss": "absolute_error"}),
    "lines in bounds": (Y, {"loss": "absolute_error", "bounds": (0, None)}),
    "staged": (Y, {"batch_size": 4, "epochs": 3}),
    "staged labels": (LABELS, {"loss": "log_loss", "batch_size": 4, "epochs": 3, "alpha": 0.1}),
    "strings": (LABELS, {"loss": "log_loss"}),
    "accents": (as_labels("U", "ö", "ü\U0001f600"), {"loss": "hinge", "learning_rate": 0.1, "epochs": 2}),
    "integers": (as_labels(np.int64, -7, 2**62), {"loss": "log_loss", "epochs": 2}),
    "small integers": (as_labels(np.uint8, 0, 255), {"loss": "log_loss", "epochs": 2}),
    "booleans": (as_labels(bool, 0, 1), {"loss": "log_loss", "epochs": 2}),
    "floats": (as_labels(np.float64, -0.5, 0.1), {"loss": "log_loss", "epochs": 2}),
    "small floats": (as_labels(np.float32, -0.5, 0.1), {"loss": "log_loss", "epochs": 2}),
    "objects": (LABELS.astype(object), {"loss": "log_loss", "epochs": 2}),
    "objects of numbers": (as_labels(object, 1, 5), {"loss": "log_loss", "epochs": 2}),
    "a link": (COUNTS, {"loss": "poisson"}),
    "a link and a field": (COUNTS, {"loss": losses.Tweedie(1.3), "epochs": 3}),
    "nested parts": (Y, {"learning_rate": fastgd.schedules.Warmup(fastgd.schedules.Cosine(0.1)), "epochs": 5}),
    "averaged": (Y, {"average": 3, "epochs": 5, "bounds": (-1, 1)}),
    "not averaged yet": (Y, {"average": 30, "epochs": 5}),
    "held out": (Y, {"validation": 0.2, "epochs": 5, "batch_size": 16}),
    "within an epoch": (Y, {"max_steps": 5, "batch_size": 16}),
    "within single rows": (Y, {"max_steps": 5, "batch_size": 1, "learning_rate": 0.01, "optimizer": "sgd"}),
    "no epoch": (Y, {"epochs": 0}),
    "interrupted": (Y, {"epochs": 5, "callback": stop_after(2, "raises")}),
    "stopped": (Y, {"epochs": 5, "callback": stop_after(2)}),
    "diverged": (Y, {"epochs": 400, "learning_rate": 100.0}),
    "retreated": (Y, {"batch_size": 1, "standardize": False, "epochs": 1, "loss": "absolute_error"}),
}


def fitted(kind, fit=fastgd.fit, X=X):
    y, options = KINDS[kind]
    return fit(X, y, **{"random_state": 0, **options})


@diverges
@slow_to_compile
@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_is_the_same_model(tmp_path, kind):
    r = fitted(kind)
    r.save(tmp_path / "model")
    loaded, pickled = fastgd.load(tmp_path / "model"), pickle.loads(pickle.dumps(r))
    for other in (loaded, pickled, copy.copy(r), copy.deepcopy(r)):
        same(other, r)
        np.testing.assert_array_equal(other.history.seconds, r.history.seconds)
        if r.classes is not None:
            assert [type(label) for label in other.classes] == [type(label) for label in r.classes]
        if np.abs(r.coef).max() < 1e100:
            assert other.predict(X).dtype == r.predict(X).dtype
            assert other.predict(X).tolist() == r.predict(X).tolist()
        assert repr(other) == repr(r)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "model").read_bytes()


@slow_to_compile
def test_the_state_of_every_solver_is_saved():
    kinds = "plain", "lines", "lines in bounds", "staged", "averaged", "within single rows"
    kinds = {type(fitted(kind).state.solver) for kind in kinds}
    ours = {kind for kind in SolverState.classes.values() if kind.__module__.startswith("fastgd.")}  # tests have others
    assert kinds == ours


@diverges
def test_every_status_is_among_the_saved():
    kinds = ("plain", "interrupted", "stopped", "diverged", "no epoch")
    assert {fitted(kind).status for kind in kinds} == set(messages.ADVICE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fit", [fastgd.fit, reference.fit], ids=["fit", "reference"])
def test_both_types_are_saved(tmp_path, fit, dtype):
    r = fitted("held out", fit, X.astype(dtype))
    r.save(tmp_path / "model")
    same(fastgd.load(tmp_path / "model"), r)
    options = {"validation": 0.2, "batch_size": 16, "random_state": 0, "epochs": 7}
    same(*(fit(X.astype(dtype), Y, resume=past, **options) for past in (None, tmp_path / "model")))


def test_the_names_of_columns_are_saved(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b b", "ü"])
    r = fastgd.fit(frame, Y, epochs=2)
    r.save(tmp_path / "model")
    loaded = fastgd.load(str(tmp_path / "model"))
    assert loaded.feature_names == ("a", "b b", "ü")
    with pytest.raises(ValueError, match="the model was fitted on"):
        loaded.predict(frame[["ü", "a", "b b"]])


@pytest.mark.parametrize("kind", ["S", object])
def test_labels_that_no_file_holds_are_refused(tmp_path, kind):
    r = fastgd.fit(X, LABELS.astype("S").astype(kind), loss="log_loss", epochs=1)
    with pytest.raises(
        TypeError, match=r"^save\(\) can't store the labels \[b'no', b'yes'\]: use numbers or strings\.$"
    ):
        r.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


# Damage -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """The path of a small saved model."""
    path = tmp_path / "small"
    fastgd.fit(X[:6, :1], Y[:6], epochs=2, batch_size=2, random_state=0).save(path)
    return path


def test_no_truncation_of_a_file_is_a_model(small):
    for length in reversed(range(small.stat().st_size)):
        os.truncate(small, length)
        with pytest.raises(ValueError) as caught:
            fastgd.load(small)
        assert str(caught.value).startswith(f"{str(small)!r} is not a fastgd model")


def test_no_flipped_bit_makes_another_model(small):
    whole, before = small.read_bytes(), facts_of(fastgd.load(small))
    rng = np.random.default_rng(0)
    for place in rng.integers(8 * len(whole), size=2000).tolist():
        with open(small, "r+b") as file:
            file.seek(place // 8)
            file.write(bytes([whole[place // 8] ^ 1 << place % 8]))
        try:
            assert facts_of(fastgd.load(small)) == before
        except ValueError as error:
            # A later format, or damage.
            assert type(error) is ValueError and str(error).startswith(repr(str(small)))
        with open(small, "r+b") as file:
            file.seek(place // 8)
            file.write(whole[place // 8 : place // 8 + 1])
    assert facts_of(fastgd.load(small)) == before


def test_other_files_are_refused(tmp_path, small):
    np.savez(tmp_path / "foreign.npz", coef=np.ones(3))
    np.save(tmp_path / "array.npy", np.ones(3))
    (tmp_path / "pickle").write_bytes(pickle.dumps(fitted("plain")))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "longer").write_bytes(small.read_bytes() + b"\0")
    npz.write(tmp_path / "another", {"a": 1}, {})
    for name in ("foreign.npz", "array.npy", "pickle", "empty", "longer", "another"):
        with pytest.raises(ValueError, match=f"{name}' is not a fastgd model"):
            fastgd.load(tmp_path / name)


# Files made by hand: their digests are right, and what they say is not ------------------------------------------

OPTIONS = {"batch_size": 16, "average": 3, "validation": 0.2, "bounds": (-3, 3), "random_state": 0, "loss": "log_loss"}
WEIRD = (None, True, False, -1, 0, 1, 32, 1.5, -1.0, 1.0, float("nan"), float("inf"), "1", "", "auto", "converged")
WEIRD += ([], [1], ["a"], {}, {"a": 1}, {"a": "b"}, 2**53, 2**53 + 1, 2**70, 10**400, -(2**70))
WEIRD += (
    {"name": "sgd", "fields": {"factor": 1.0}},
    {"name": "sgd", "fields": {"factor": "1"}},
    {"name": "adam", "fields": {"beta1": 2.0, "beta2": 0.9, "epsilon": 1.0}},
    {"name": "constant", "fields": {"initial": 0.1, "other": 1.0}},
    {"name": "warmup", "fields": {"then": {"name": "warmup", "fields": {}}, "period": 1.0, "start": 0.0}},
    {"name": "huber", "fields": {"delta": 1.0}},
    {"name": "hinge", "fields": {"margin": 1.0}},
    {"name": "poisson", "fields": {}},
    {"name": "mine", "fields": {}, "stamp": "0"},
    {"name": "mine", "fields": [], "stamp": 0},
)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """Facts and arrays of a model that has all that one may have."""
    path = tmp_path_factory.mktemp("content") / "model"
    fastgd.fit(X, LABELS, epochs=4, **OPTIONS).save(path)
    return path, *npz.read(path)


def refusals(monkeypatch, path, facts, arrays):
    """What becomes of a file with such content: the errors of load, predict and resume, None for each that went well.

    The file's own layer has its own tests: here its content is given at once.
    """
    monkeypatch.setattr(npz, "read", lambda path: copy.deepcopy((facts, arrays)))
    calls = (
        lambda: fastgd.load(path).predict(X),
        lambda: fastgd.fit(X, LABELS, epochs=6, resume=path, **OPTIONS),
        lambda: fastgd.partial_fit(X, LABELS, path),
    )
    errors = []
    for call in calls:
        try:
            call()
            errors.append(None)
        except Exception as error:
            assert type(error) is ValueError, (error, facts)
            errors.append(str(error))
    if errors[0] and not errors[0].startswith("offset is missing"):  # which a model may ask for
        assert errors == errors[:1] * 3
        assert errors[0].startswith(f"{str(path)!r} is not a fastgd model: ")
    return errors


def leaves(facts, place=()):
    """The places of all facts, those of dicts included."""
    for name, value in facts.items():
        yield (*place, name)
        if isinstance(value, dict):
            yield from leaves(value, (*place, name))


NEVER_FINE = (None, -1, "1", 1.5, 2**70)
REFUSED = dict.fromkeys((("state", "epoch"), ("status",), ("state", "options", "random_state")), NEVER_FINE)


@pytest.mark.slow
@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.long)])
def test_no_fact_of_a_file_is_trusted(monkeypatch, content, share):
    """Each is left out, and made a quarter of what is weird; the next one is made the next quarter."""
    path, facts, arrays = content
    refused = {}
    for number, place in enumerate(leaves(facts)):
        for value in (*WEIRD[number % share :: share], *REFUSED.get(place, ()), KeyError):
            forged = copy.deepcopy(facts)
            inner = forged
            for name in place[:-1]:
                inner = inner[name]
            if value is KeyError:
                del inner[place[-1]]
            else:
                inner[place[-1]] = value
            if json.dumps(forged, default=str) != json.dumps(facts):
                refused[place, repr(value)] = refusals(monkeypatch, path, forged, arrays)[0]
    for place, values in REFUSED.items():
        for value in (*values, KeyError):
            assert refused[place, repr(value)]


@pytest.mark.slow
def test_no_array_of_a_file_is_trusted(monkeypatch, content):
    path, facts, arrays = content
    assert refusals(monkeypatch, path, facts, arrays)[:2] == [None, None]
    for name, array in arrays.items():
        changes = [None, array[None]]
        if array.ndim:
            changes += [array[..., :0], array[..., :-1], array.reshape(-1)[0]]
            changes += [np.concatenate([array, array], axis=axis) for axis in (-1, 0)]
        if array.dtype.kind == "f":
            changes += [np.nan_to_num(array).astype(kind) for kind in (np.float32, np.float16, np.int64, bool, "U9")]
        for change in changes:
            forged = {**arrays, name: np.asarray(change)} if change is not None else {**arrays}
            if change is None:
                del forged[name]
            assert refusals(monkeypatch, path, facts, forged)[1], (name, change)
        if array.dtype.kind == "f":
            for number in (np.nan, np.inf, -np.inf, 1e300, 1e-300):
                refusals(monkeypatch, path, facts, {**arrays, name: np.full_like(array, number)})
    for name in ("coef", "state.solver.weights", "state.shift", "state.inverse_scale", "state.loss_sum"):
        assert refusals(monkeypatch, path, facts, {**arrays, name: np.full_like(arrays[name], np.nan)})[0], name
    for forged in ({**arrays, "extra": np.ones(1)}, {**arrays, "state.extra": np.ones(1)}):
        assert refusals(monkeypatch, path, facts, forged)[0]


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda facts, arrays: arrays.update(coef=arrays["coef"][:-1]), "state.shift"),
        (lambda facts, arrays: arrays.update(coef=np.array([arrays["coef"]] * 2)), "intercept"),
        (lambda facts, arrays: arrays.update({"state.low": arrays["state.high"] + 1}), "state.low"),
        (lambda facts, arrays: arrays.pop("state.low"), "state.low"),
        (lambda facts, arrays: arrays.update(classes=arrays["classes"][::-1]), "classes"),
        (lambda facts, arrays: arrays.pop("classes"), "classes"),
        (lambda facts, arrays: facts.update(status="fine"), "status"),
        (lambda facts, arrays: facts.update(feature_names=["a"]), "feature_names"),
        (lambda facts, arrays: facts["state"].update(epoch=3), "state.history.loss"),
        (lambda facts, arrays: facts["state"].update(best_epoch=None), "state.best_epoch"),
        (lambda facts, arrays: facts["state"].update(backoffs=0, confirmed_backoffs=1), "state.confirmed_backoffs"),
        (lambda facts, arrays: facts["state"].update(link=not facts["state"]["link"]), "state.options.loss"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, content, change, words):
    _, facts, arrays = copy.deepcopy(content)
    change(facts, arrays)
    npz.write(tmp_path / "model", facts, arrays)
    with pytest.raises(ValueError, match=rf"model' is not a fastgd model: '({words})' .*\. Take another"):
        fastgd.load(tmp_path / "model")


@pytest.mark.parametrize(
    "change, words",
    [
        (
            lambda facts, arrays: facts["state"].update(row=16 * 5),
            "the run stopped at row 80 of an epoch, which no batch of 16",
        ),
        (
            lambda facts, arrays: facts["state"].update(row=1),
            "the run stopped at row 1 of an epoch, which no batch of 16",
        ),
        (lambda facts, arrays: facts["state"].update(rows=29), "30 rows to train on, but the run was on 29"),
        (
            lambda facts, arrays: arrays.update({"state.solver.slots": RNG.standard_normal((1, 9, 4))}),
            "the state's slots are float64 of shape (1, 9, 4); float64 of shape (1, 2, 4) is needed",
        ),
    ],
)
def test_what_contradicts_the_data_is_refused(tmp_path, content, change, words):
    _, facts, arrays = copy.deepcopy(content)
    change(facts, arrays)
    npz.write(tmp_path / "model", facts, arrays)
    with pytest.raises(ValueError) as caught:
        fastgd.fit(X, LABELS, epochs=6, resume=tmp_path / "model", **OPTIONS)
    assert str(caught.value).startswith("resume: ") and words in str(caught.value)
