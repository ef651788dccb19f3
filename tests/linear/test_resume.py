"""A run that goes on ends in the bits of one that never stopped, or says what about it is not the same."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from conftest import ALPHA, JIT_OFF, diverges, plan_of, slow_to_compile
from hypothesis import example, given
from hypothesis import strategies as st
from resumed import EPOCHS, LABELS, OUTLIERS, X, Y, goes_on, same, stop_after

import fastgd
from fastgd import losses, optimizers, reference, schedules
from fastgd.parts.registry import snake_case
from fastgd.solvers.batches import Batches
from fastgd.solvers.passes import Passes

OPTIMIZERS = [snake_case(name) for name in optimizers.__all__]
SCHEDULES = {
    "constant": 0.05,
    "inverse_scaling": schedules.InverseScaling(0.1),
    "optimal": schedules.Optimal(alpha=0.1),
    "step": schedules.Step(0.1, 0.5, period=2.0),
    "exponential": schedules.Exponential(0.1, 0.9, period=1.5),
    "polynomial": schedules.Polynomial(0.1, period=4.0),
    "cosine": schedules.Cosine(0.1, period=3.0),
    "one_cycle": schedules.OneCycle(0.1, period=4.0),
    "plateau": schedules.Plateau(0.2, 0.5, patience=0.0, threshold=0.3),
    "warmup": schedules.Warmup(schedules.Cosine(0.1, period=3.0), period=2.0),
}
REST_OF_THE_RUN = [
    schedules.Polynomial(0.1),
    schedules.Cosine(0.1),
    schedules.OneCycle(0.1),
    schedules.Warmup(schedules.Cosine(0.1), period=2.0),
]


def data_of(options):
    """The rows and the targets that the loss among the options wants."""
    loss = options.get("loss", "squared_error")
    return X, LABELS if loss in ("log_loss", "hinge") else np.abs(Y) if loss == "poisson" else Y


# Every optimizer, schedule, kind of batch and shuffle -------------------------------------------------------------


@slow_to_compile
@pytest.mark.parametrize("batch", [1, 16, None])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on(optimizer, batch):
    options = {"optimizer": optimizer, "learning_rate": schedules.InverseScaling(0.05), "batch_size": batch}
    options["alpha"] = ALPHA[batch]
    goes_on(X, Y, [{"epochs": 2}], random_state=1, average=3, **options)
    goes_on(X, Y, [{"max_steps": 1}, {"max_steps": 4}], epochs=6, random_state=1, **options)


@diverges
@pytest.mark.parametrize("batch", [1, 16, None])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_goes_on(name, batch):
    options = {"learning_rate": SCHEDULES[name], "batch_size": batch, "optimizer": "sgd", "random_state": 1}
    for k in range(EPOCHS + 1):
        goes_on(X, Y, [{"epochs": k}], **options)
    assert {snake_case(name) for name in schedules.__all__} == set(SCHEDULES)


@pytest.mark.parametrize("batch", [1, 16, None])
@pytest.mark.parametrize("schedule", REST_OF_THE_RUN, ids=lambda s: snake_case(type(s).__name__))
def test_a_schedule_over_the_rest_of_the_run_goes_on_within_it(schedule, batch):
    options = {"learning_rate": schedule, "batch_size": batch, "optimizer": "sgd", "random_state": 1}
    for how in ("returns", "raises"):
        goes_on(X, Y, [{"callback": stop_after(2, how)}, {"callback": stop_after(4, how)}], **options)
    short = fastgd.fit(X, Y, epochs=4, **options)
    longer = r"resume: the schedule's durations follow the run's length: they were .* in steps, and would be .*epochs"
    for change in ({"epochs": EPOCHS}, {"epochs": 4, "max_steps": 3 * short.n_steps // 4}):
        with pytest.raises(ValueError, match=longer):
            fastgd.fit(X, Y, resume=short, **change, **options)


@pytest.mark.parametrize("shuffle", ["block", "full", "replacement", False])
@pytest.mark.parametrize("batch", [1, 5, 16])
def test_every_step_of_an_epoch_may_be_the_last(batch, shuffle):
    options = {"learning_rate": 0.05, "batch_size": batch, "shuffle": shuffle, "random_state": 2, "optimizer": "sgd"}
    steps = -(-len(X) // batch)
    for k in range(0, 2 * steps + 1, 1 if batch > 1 else 5):
        goes_on(X, Y, [{"max_steps": k}], epochs=2, **options)


def test_a_slice_that_was_cut_ends_where_it_would_have(monkeypatch):
    lengths = []
    advance = Batches.advance

    def recorded(self, lanes, state, rates, clock, steps):
        self.slice = 8  # a slice of large data is a part of an epoch
        before = clock.epoch, clock.row
        answer = advance(self, lanes, state, rates, clock, steps)
        lengths.append((*before, clock.row))
        return answer

    monkeypatch.setattr(Batches, "advance", recorded)
    options = {"learning_rate": 0.05, "batch_size": 4, "optimizer": "sgd", "random_state": 2}
    _, r = goes_on(X, Y, [{"max_steps": 3}], epochs=2, **options)
    assert r.state.row == 12
    assert (0, 8, 16) in lengths and (0, 8, 12) in lengths and (0, 12, 16) in lengths and (0, 16, 24) in lengths


def test_single_rows_go_on_as_another_layout():
    options = {"learning_rate": 0.05, "batch_size": 1, "optimizer": "sgd", "epochs": 2, "standardize": False}
    options["random_state"] = 3
    sparse = scipy.sparse.csr_array(X)
    for first, second in [(sparse, X), (X, sparse)]:
        r = fastgd.fit(first, Y, max_steps=50, **options)
        whole, gone_on = fastgd.fit(second, Y, **options), fastgd.fit(second, Y, resume=r, **options)
        assert gone_on.n_steps == whole.n_steps
        np.testing.assert_allclose(gone_on.coef, whole.coef, rtol=1e-9)


# Every other setting --------------------------------------------------------------------------------------------

CASES = {
    "automatic": {},
    "automatic batches": {"batch_size": 16},
    "given epochs": {"epochs": 30, "alpha": 0.1, "l1_ratio": 0.5},
    "raw columns": {"standardize": False, "batch_size": 1},
    "share held out": {"validation": 0.2, "batch_size": 16, "patience": 2},
    "rows held out": {"validation": (X[:9], Y[:9]), "patience": 2},
    "weighted rows held out": {"validation": (X[:9], Y[:9], np.arange(9)), "batch_size": 1},
    "plateau held out": {"validation": 0.2, "learning_rate": SCHEDULES["plateau"], "optimizer": "sgd"},
    "averaged": {"average": True, "batch_size": 16, "alpha": 0.1},
    "averaged and held out": {"average": 4, "batch_size": 16, "validation": 0.3, "evaluate": True},
    "averaged, full batch": {"average": 3},
    "two classes": {"loss": "log_loss", "batch_size": 16},
    "two classes held out": {"loss": "log_loss", "validation": 0.2},
    "no gradient": {"loss": "hinge", "alpha": 0.1, "batch_size": 1},
    "a link": {"loss": "poisson", "batch_size": 16},
    "bounds": {"bounds": ([-0.5, -np.inf, 0.0], 0.8), "batch_size": 16},
    "weights": {"sample_weight": np.arange(37) % 4, "batch_size": 16},
    "no intercept": {"fit_intercept": False, "evaluate": True},
    "tolerance": {"tol": 0.02, "patience": 2, "batch_size": 16, "epochs": 30},
}


@pytest.mark.parametrize("name", CASES)
def test_every_setting_goes_on(name):
    options = {"random_state": 4, **CASES[name]}
    X, y = data_of(options)
    epochs = options.pop("epochs", EPOCHS)
    for k in (0, 1, 3, epochs):
        goes_on(X, y, [{"epochs": k}], epochs=epochs, **options)
    goes_on(X, y, [{"max_steps": 1}, {"max_steps": 3}, {"epochs": 3}], epochs=epochs, **options)
    for how in ("returns", "raises"):
        goes_on(X, y, [{"callback": stop_after(2, how)}], epochs=epochs, **options)


@pytest.mark.parametrize("batch", [1, 16, None])
def test_float32_goes_on(batch):
    whole, _ = goes_on(X.astype(np.float32), Y, [{"epochs": 2}], batch_size=batch, average=3, random_state=0)
    assert whole.state.solver.weights.dtype == np.float32


@pytest.mark.parametrize(
    "options, stop",
    [
        ({}, 1),
        ({"optimizer": "momentum"}, 3),
        ({"batch_size": 16, "learning_rate": 0.3, "tol": 0.2, "patience": 2}, 3),
    ],
    ids=["quasi_newton", "full", "batches"],
)
def test_a_run_to_its_own_end_goes_on(options, stop):
    X, y = data_of(options)
    options = {"random_state": 0, **options}
    goes_on(X, y, [{"epochs": stop}], epochs="auto", **options)
    whole = fastgd.fit(X, y, **options)
    assert whole.status == "converged"
    same(fastgd.fit(X, y, resume=whole, **options), whole)


def test_more_patience_goes_on():
    options = {"validation": 0.2, "batch_size": 16, "learning_rate": 0.5, "random_state": 0, "epochs": 40}
    impatient = fastgd.fit(X, Y, patience=1, **options)
    assert impatient.status == "early_stopped" and impatient.best_epoch is not None
    patient = fastgd.fit(X, Y, patience=4, **options)
    assert patient.n_epochs > impatient.n_epochs
    same(fastgd.fit(X, Y, patience=4, resume=impatient, **options), patient)


@slow_to_compile
@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("loss", ["absolute_error", "squared_error"])
def test_a_rate_that_was_too_large_goes_on(loss, batch):
    # With outliers, runs back off in their course and where they end; a longer run looks elsewhere.
    backoffs = set()
    for optimizer in ("sgd", "momentum"):
        options = {"loss": loss, "batch_size": batch, "standardize": False, "optimizer": optimizer}
        for seed in range(2 if JIT_OFF else 6):
            for stop in ({"max_steps": 2}, {"epochs": 1}, {"epochs": 3}, {"epochs": 5}):
                whole, r = goes_on(OUTLIERS, Y, [stop], random_state=seed, average=True, **options)
                backoffs.add((r.state.backoffs > 0, r.state.confirmed_backoffs < r.state.backoffs))
                assert whole.status == "max_epochs"
    assert loss != "absolute_error" or (True, True) in backoffs


@diverges
@pytest.mark.jit
@pytest.mark.parametrize("batch", [None, 16])
def test_a_run_that_diverges_goes_on_to_it(batch):
    options = {"learning_rate": 3.0, "batch_size": batch, "optimizer": "sgd", "random_state": 0}
    whole, r = goes_on(X, Y, [{"epochs": 2}], epochs=3000, **options)
    assert (whole.status, r.n_epochs) == ("diverged", 2)
    assert np.isfinite(whole.coef).all()
    same(fastgd.fit(X, Y, epochs=3000, resume=whole, **options), whole)


def test_a_callback_does_not_change_where_a_run_backs_off():
    # Lion's steps on a hinge swing above the start and come back: every epoch is looked at, whoever else looks.
    options = {"loss": "hinge", "optimizer": "lion", "alpha": 0.1, "epochs": 7, "bounds": (-0.5, 1.0)}
    same(
        fastgd.fit(X, LABELS, random_state=0, **options, callback=lambda p: None),
        fastgd.fit(X, LABELS, random_state=0, **options),
    )


def test_the_reference_goes_on():
    for options in ({}, {"batch_size": 16, "validation": 0.2, "average": True}):
        goes_on(X, Y, [{"epochs": 2}], fit=reference.fit, random_state=0, **options)


# All of it at once ------------------------------------------------------------------------------------------------

ONE_OF = {
    "optimizer": OPTIMIZERS if JIT_OFF else ["sgd", "adam"],
    "loss": ["squared_error", "log_loss", "hinge"] if JIT_OFF else ["squared_error", "log_loss"],
    "learning_rate": ["auto", *SCHEDULES.values()],
    "batch_size": ["auto", None, 1, 16, 37] + [5] * JIT_OFF,
    "shuffle": ["block", "full", "replacement", False],
    "validation": [None, 0.2, "rows"],
    "average": [False, True, 4],
    "alpha": [0.0, 0.1] if JIT_OFF else [0.0],
    "standardize": ["auto", True, False] if JIT_OFF else ["auto"],
    "evaluate": [False, True],
    "tol": ["auto", None, 0.05],
    "patience": [1, 2, 5],
    "fit_intercept": [True, False],
    "random_state": [0, 1, 2],
}
WAYS = {"as it is": lambda r, path: r, "pickled": lambda r, path: pickle.loads(pickle.dumps(r))}


def through_a_file(r, path):
    r.save(path)
    return path


@diverges
@pytest.mark.slow
@given(
    options=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in ONE_OF.items()}),
    epochs=st.integers(0, 6),
    stops=st.lists(
        st.tuples(st.sampled_from(["epochs", "steps", "returns", "raises"]), st.integers(0, 20)), max_size=3
    ),
    way=st.sampled_from([*WAYS.values(), through_a_file]),
)
@example({"batch_size": 1, "optimizer": "sgd"}, 4, [("steps", 5), ("steps", 50)], through_a_file)
@example({"batch_size": 16, "optimizer": "sgd"}, 4, [("steps", 5), ("epochs", 2), ("raises", 3)], through_a_file)
def test_any_run_stopped_anywhere_goes_on(tmp_path_factory, options, epochs, stops, way):
    X, y = data_of(options)
    if options.get("validation") == "rows":
        options = {**options, "validation": (X[:9], y[:9])}
    kinds = {
        "epochs": lambda k: {"epochs": min(k, epochs)},
        "steps": lambda k: {"max_steps": k},
        "returns": lambda k: {"callback": stop_after(k % 7)},
        "raises": lambda k: {"callback": stop_after(k % 7, "raises")},
    }
    path = tmp_path_factory.getbasetemp() / "stopped.npz"
    stops = [kinds[how](k) for how, k in stops]
    goes_on(X, y, stops, epochs, lambda r: way(r, path), **{"random_state": 0, **options})


SCRIPT = """
import json, sys
import numpy as np
import fastgd
for case in json.load(open(sys.argv[1])):
    X, y = np.load(case["X"]), np.load(case["y"])
    r = fastgd.fit(X, y, resume=case["saved"], n_threads=case["threads"], **case["options"])
    r.save(case["result"])
"""


@pytest.mark.slow
@pytest.mark.jit
def test_another_process_at_another_thread_count_goes_on(tmp_path):
    rng = np.random.default_rng(0)
    large = rng.standard_normal((20_000, 8))
    tables = {
        "small": (X, Y),
        "labels": (X, LABELS),
        "large": (large, large @ np.arange(8.0) + rng.standard_normal(20_000)),
    }
    assert Passes(plan_of(*tables["large"], epochs=1).data, 2).chunks.count > 1
    several = [
        ("small", {"epochs": 5, "batch_size": 1, "learning_rate": 0.05, "average": True}, {"max_steps": 50}),
        ("small", {"epochs": 5, "batch_size": 16, "validation": 0.2}, {"epochs": 2}),
        ("labels", {"epochs": 9, "loss": "log_loss"}, {"epochs": 4}),
        ("large", {"epochs": 9, "evaluate": True, "validation": 0.1}, {"epochs": 4}),
        ("large", {"epochs": 9}, {"max_steps": 3}),
    ]
    cases = []
    for k, (name, options, stop) in enumerate(several):
        paths = {kind: str(tmp_path / f"{k}.{kind}.npy") for kind in ("X", "y", "saved", "result")}
        np.save(paths["X"], tables[name][0])
        np.save(paths["y"], tables[name][1])
        options["random_state"] = 0
        fastgd.fit(*tables[name], n_threads=1, **{**options, **stop}).save(paths["saved"])
        cases.append({**paths, "options": options, "threads": 2})
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "cases.json")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for (name, options, _), case in zip(several, cases, strict=True):
        same(fastgd.load(case["result"]), fastgd.fit(*tables[name], n_threads=1, **options))


# What may change, and what may not --------------------------------------------------------------------------------

BEGUN = {
    "loss": losses.Huber(1.0),
    "optimizer": optimizers.Momentum(0.9),
    "learning_rate": 0.05,
    "batch_size": 16,
    "alpha": 0.1,
    "l1_ratio": 0.5,
    "bounds": (-1.0, 1.0),
    "validation": 0.2,
    "average": 2,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def begun():
    return fastgd.fit(X, Y, epochs=2, **BEGUN)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"loss": "squared_error"}, "loss=huber(delta=1.0), not squared_error("),
        ({"loss": losses.Huber(2.0)}, "loss=huber(delta=1.0), not huber(delta=2.0)"),
        ({"optimizer": "sgd"}, "optimizer=momentum(beta=0.9), not sgd("),
        ({"optimizer": "auto"}, "optimizer=momentum(beta=0.9), not 'auto'"),
        ({"optimizer": optimizers.Momentum(0.8)}, "optimizer=momentum(beta=0.9), not momentum(beta=0.8)"),
        ({"learning_rate": 0.1}, "learning_rate=constant(initial=0.05), not constant(initial=0.1)"),
        ({"learning_rate": "auto"}, "learning_rate=constant(initial=0.05), not 'auto'"),
        ({"learning_rate": schedules.Warmup(0.05)}, "not warmup(then=constant(initial=0.05), period=1.0, start=0.0)"),
        ({"batch_size": 8}, "batch_size=16, not 8"),
        ({"batch_size": None}, "batch_size=16, not 'full'"),
        ({"alpha": 0.2}, "alpha=0.1, not 0.2"),
        ({"l1_ratio": 1}, "l1_ratio=0.5, not 1.0"),
        ({"fit_intercept": False}, "fit_intercept=True, not False"),
        ({"standardize": True}, "standardize='auto', not True"),
        ({"shuffle": False}, "shuffle='block', not False"),
        ({"validation": None}, "validation=0.2, not None"),
        ({"validation": 0.3}, "validation=0.2, not 0.3"),
        ({"validation": (X, Y)}, "validation=0.2, not 'data'"),
        ({"average": False}, "average=2, not None"),
        ({"average": True}, "average=2, not 1"),
        ({"random_state": 1}, "random_state=0, not 1"),
        ({"batch_size": 8, "alpha": 0}, "batch_size=16, not 8, alpha=0.1, not 0.0"),
    ],
    ids=lambda value: None if isinstance(value, str) else ",".join(value),
)
def test_a_changed_setting_is_named(begun, change, words):
    with pytest.raises(ValueError) as caught:
        fastgd.fit(X, Y, epochs=4, resume=begun, **{**BEGUN, **change})
    assert words in str(caught.value)
    assert str(caught.value).startswith("resume: the run was started with ")
    assert str(caught.value).endswith(". Pass the same, or start a new run without resume.")


@pytest.mark.parametrize(
    "X, y, change, words",
    [
        (X[:, :2], Y, {}, "resume: X has 2 columns, but the run was on 3: pass these."),
        (X[:, :2], Y, {"bounds": ([0.0, 1.0], None)}, "resume: X has 2 columns, but the run was on 3: pass these."),
        (
            X[:36],
            Y[:36],
            {},
            "resume: X has 29 rows to train on, but the run was on 30: pass these, or the weights as start",
        ),
        (X.astype(np.float32), Y, {}, "resume: X is float32, but the run was on float64: convert X."),
        (
            X,
            Y,
            {"bounds": None},
            "resume: the run was started with bounds=([-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]), not None: pass",
        ),
        (X, Y, {"bounds": (-1.0, 2.0)}, ", not ([-1.0, -1.0, -1.0], [2.0, 2.0, 2.0]): pass the same."),
    ],
    ids=["columns", "columns and bounds", "rows", "type", "no bounds", "other bounds"],
)
def test_other_data_are_refused(begun, X, y, change, words):
    with pytest.raises(ValueError) as caught:
        fastgd.fit(X, y, epochs=4, resume=begun, **{**BEGUN, **change})
    assert words in str(caught.value)


def test_other_labels_or_names_are_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    r = fastgd.fit(frame, LABELS, loss="log_loss", epochs=2, random_state=0)
    with pytest.raises(ValueError, match=r"^resume: y holds the classes 'a', 'b', but the run was on 'no', 'yes'"):
        fastgd.fit(X, np.where(LABELS == "no", "a", "b"), loss="log_loss", epochs=4, resume=r)
    with pytest.raises(ValueError, match=r"^resume: X has the columns \('b', 'a', 'c'\), but the run was on"):
        fastgd.fit(frame[["b", "a", "c"]], LABELS, loss="log_loss", epochs=4, resume=r)
    assert fastgd.fit(X, LABELS, loss="log_loss", epochs=4, resume=r).feature_names == ("a", "b", "c")


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 4},
        {"epochs": 4, "max_steps": 7},
        {"epochs": 4, "tol": 1e-6, "patience": 2},
        {"epochs": 4, "n_threads": 2},
        {"epochs": 4, "callback": lambda progress: None},
        {"epochs": 4, "evaluate": True},
        {"epochs": 4, "random_state": None},
        {"epochs": 4, "random_state": np.random.default_rng(5)},
    ],
    ids=lambda change: [*change][-1],
)
def test_what_may_change(begun, change):
    r = fastgd.fit(X, Y, **{**BEGUN, **change}, resume=begun)
    assert r.n_steps > begun.n_steps
    change = {name: value for name, value in change.items() if name != "random_state"}
    whole = fastgd.fit(X, Y, **BEGUN, **change)
    if "evaluate" in change:
        np.testing.assert_array_equal(r.history.objective[2:], whole.history.objective[2:])
        np.testing.assert_array_equal(r.coef, whole.coef)
    elif "tol" not in change:
        same(r, whole)


def test_a_bar_may_be_shown(begun, capsys):
    same(fastgd.fit(X, Y, epochs=4, resume=begun, verbose=1, **BEGUN), fastgd.fit(X, Y, epochs=4, **BEGUN))
    assert "4/4" in capsys.readouterr().err


def test_what_is_no_result_is_refused(tmp_path):
    for wrong in (3, [1], {"a": 1}, X, fastgd.minimize(lambda x: x * x, 1.0)):
        with pytest.raises(TypeError, match=r"^resume must be a result of fit or the path of a saved one, got "):
            fastgd.fit(X, Y, resume=wrong)
    with pytest.raises(FileNotFoundError):
        fastgd.fit(X, Y, resume=tmp_path / "missing")
    with pytest.raises(OSError):
        fastgd.fit(X, Y, resume=tmp_path)
    (tmp_path / "text").write_text("no model")
    with pytest.raises(ValueError, match="is not a fastgd model"):
        fastgd.fit(X, Y, resume=str(tmp_path / "text"))


@pytest.mark.jit
@pytest.mark.parametrize("seed", range(4))
def test_a_run_that_stops_before_its_last_step_goes_on(seed):
    """In float32 it said "converged" where the whole run, of which two steps are taken at once, took the other one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(1.5, (238, 145)).astype(np.float32)
    score = X @ rng.standard_normal(145)
    options = {"loss": "log_loss", "alpha": 1e-3, "tol": 1e-7}
    y = score / score.std() + 0.3 * rng.standard_normal(238) > 0
    whole = fastgd.fit(X, y, **options)
    part = fastgd.fit(X, y, epochs=whole.n_epochs - 1, **options)
    np.testing.assert_array_equal(fastgd.fit(X, y, epochs=1000, resume=part, **options).coef, whole.coef)
