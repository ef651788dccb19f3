"""Chunks take the steps of one table of them, and say what a chunk may not be."""

import pickle

import numpy as np
import pytest
from conftest import ALPHA, JIT_OFF, slow_to_compile
from resumed import same

import fastgd
from fastgd import optimizers, schedules
from fastgd.parts.registry import snake_case

RNG = np.random.default_rng(5)
N = 172
X = RNG.standard_normal((N, 3))
Y = 2 + X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(N)
LABELS = np.where(Y > 2, "yes", "no")
OPTIMIZERS = [snake_case(name) for name in optimizers.__all__]
GIVEN = {"learning_rate": 0.02, "standardize": False, "optimizer": "sgd", "random_state": 0}


def in_chunks(X, y, rows=32, r=None, again=lambda r: r, sample_weight=None, **options):
    """The result of chunks of so many rows, the last one as long as it is."""
    for first in range(0, len(X), rows):
        chunk = slice(first, first + rows)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight[chunk]}
        r = again(fastgd.partial_fit(X[chunk], y[chunk], r, **weight, **options))
    return r


def same_model(chunks, table):
    """Assert that chunks and one table of them led to the same bits."""
    assert (chunks.n_steps, chunks.intercept) == (table.n_steps, table.intercept)
    np.testing.assert_array_equal(chunks.coef, table.coef)
    for name in ("weights", "slots", "carry", "averages"):
        a, b = getattr(chunks.state.solver, name), getattr(table.state.solver, name)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), name


# An epoch of the table is 11 steps of 16 rows; the first chunk is 2 such steps.
CASES = {
    "plain": {},
    "falling rate": {"learning_rate": schedules.InverseScaling(0.05)},
    "averaged": {"average": True},
    "averaged later": {"average": 4, "optimizer": "adam"},
    "two classes": {"loss": "log_loss"},
    "no intercept": {"fit_intercept": False},
    "ridge": {"alpha": 0.1},
    "lasso in bounds": {"alpha": 0.1, "l1_ratio": 1.0, "bounds": (-1.0, 0.5)},
}


@pytest.mark.parametrize("batch, rows", [(1, 1), (1, 50), (16, 16), (16, 32), (16, 160), (16, 500)])
@pytest.mark.parametrize("name", CASES)
def test_chunks_are_one_table(name, batch, rows):
    options = {**GIVEN, **CASES[name], "batch_size": batch}
    y = LABELS if "loss" in options else Y
    chunks = in_chunks(X, y, rows, classes=["no", "yes"] if "loss" in options else None, **options)
    same_model(chunks, fastgd.fit(X, y, epochs=1, shuffle=False, **options))
    assert chunks.n_epochs == -(-N // rows) == chunks.history.loss.size
    assert chunks.status == "max_epochs"
    assert chunks.message == f"Chunks done: {chunks.n_epochs}. Pass this result to partial_fit with the next chunk."


@slow_to_compile
@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_takes_chunks(optimizer, batch):
    options = {**GIVEN, "optimizer": optimizer, "batch_size": batch, "alpha": ALPHA[batch]}
    same_model(in_chunks(X, Y, **options), fastgd.fit(X, Y, epochs=1, shuffle=False, **options))


@pytest.mark.parametrize(
    "schedule",
    [
        lambda unit: schedules.Step(0.1, 0.5, period=unit),
        lambda unit: schedules.Exponential(0.1, 0.5, period=unit),
        lambda unit: schedules.OneCycle(0.1, period=2 * unit),
        lambda unit: schedules.Warmup(schedules.Cosine(0.1, period=2 * unit), period=unit),
    ],
)
def test_durations_count_chunks_as_long_as_the_first(schedule):
    options = {**GIVEN, "batch_size": 16}
    rows = 160  # the table's epoch has 10 steps, a chunk 2
    chunks = in_chunks(X[:rows], Y[:rows], **{**options, "learning_rate": schedule(2.0)})
    table = fastgd.fit(X[:rows], Y[:rows], epochs=1, shuffle=False, **{**options, "learning_rate": schedule(0.4)})
    same_model(chunks, table)
    assert chunks.history.learning_rate[-1] == table.history.learning_rate[-1]


def test_weights_are_taken_as_they_are():
    weight = np.where(np.arange(N) % 2, 2.0, 0.0)
    options = {**GIVEN, "batch_size": 16, "sample_weight": weight}
    same_model(in_chunks(X, Y, **options), fastgd.fit(X, Y, epochs=1, shuffle=False, **options))


def test_float32_chunks():
    X32 = X.astype(np.float32)
    chunks = in_chunks(X32, Y, **GIVEN, batch_size=16)
    assert chunks.state.solver.weights.dtype == np.float32
    same_model(chunks, fastgd.fit(X32, Y, epochs=1, shuffle=False, **GIVEN, batch_size=16))
    with pytest.raises(ValueError, match=r"^r: X is float64, but the run was on float32: convert X"):
        fastgd.partial_fit(X, Y, chunks)


@pytest.mark.parametrize("options", [{}, {"average": True, "alpha": 0.1}, {"learning_rate": 0.01, "optimizer": "adam"}])
def test_options_need_not_be_given_again(options):
    r = in_chunks(X[64:], Y[64:], r=fastgd.partial_fit(X[:64], Y[:64], random_state=3, **options))
    same(r, in_chunks(X[64:], Y[64:], r=fastgd.partial_fit(X[:64], Y[:64], random_state=3, **options), **options))


def test_files_and_pickles_of_chunks_go_on(tmp_path):
    def through_a_file(r):
        r.save(tmp_path / "r.npz")
        return tmp_path / "r.npz"

    whole = in_chunks(X, LABELS, loss="log_loss", random_state=0)
    same(in_chunks(X, LABELS, loss="log_loss", random_state=0, again=lambda r: pickle.loads(pickle.dumps(r))), whole)
    same(fastgd.load(in_chunks(X, LABELS, loss="log_loss", random_state=0, again=through_a_file)), whole)


def test_classes_may_come_later():
    first = fastgd.partial_fit(X[:8], ["no"] * 8, loss="log_loss", classes=["yes", "no"])
    assert first.classes.tolist() == ["no", "yes"]
    r = fastgd.partial_fit(X, LABELS, first)
    same(r, fastgd.partial_fit(X, LABELS, first, classes=["no", "yes"]))
    assert set(r.predict(X)) == {"no", "yes"}


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda r: fastgd.partial_fit(X[:8], ["no"] * 8, loss="log_loss"), "y must hold two classes for this loss"),
        (
            lambda r: fastgd.partial_fit(X[:8], ["maybe"] * 8, r),
            "y holds the classes 'maybe', but the model's classes are 'no'",
        ),
        (
            lambda r: fastgd.partial_fit(X, LABELS, r, classes=["a", "b"]),
            "classes: the run was started with 'no', 'yes'",
        ),
        (
            lambda r: fastgd.partial_fit(X, LABELS, r, classes=["a"]),
            "classes must hold two classes for this loss",
        ),
        (lambda r: fastgd.partial_fit(X, Y, classes=["a", "b"]), "classes=['a', 'b'] are for a loss of classes"),
        (lambda r: fastgd.partial_fit(X, LABELS, r, loss="hinge"), "r: the run was started with loss=log_loss("),
        (
            lambda r: fastgd.partial_fit(X, LABELS, r, batch_size=8),
            "r: the run was started with batch_size='auto', not 8",
        ),
        (lambda r: fastgd.partial_fit(X, LABELS, r, average=True), "r: the run was started with average=None, not 1"),
        (
            lambda r: fastgd.partial_fit(X, LABELS, r, bounds=(0, 1)),
            "r: the run was started with bounds=None, not ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]): pass the same.",
        ),
        (lambda r: fastgd.partial_fit(X[:, :2], LABELS, r), "r: X has 2 columns, but the run was on 3"),
        (lambda r: fastgd.partial_fit(X[:0], LABELS[:0], r), "X is empty"),
        (
            lambda r: fastgd.partial_fit(X, LABELS, fastgd.fit(X, Y, epochs=1)),
            "r is a result of fit, which partial_fit",
        ),
        (lambda r: fastgd.fit(X, LABELS, loss="log_loss", resume=r), "resume is a result of partial_fit, which fit"),
        (lambda r: fastgd.partial_fit(X, Y, learning_rate=schedules.Cosine(0.1)), "has a duration of 0"),
    ],
)
def test_what_does_not_fit_is_named(call, words):
    with pytest.raises(ValueError) as caught:
        call(fastgd.partial_fit(X[:32], LABELS[:32], loss="log_loss", random_state=0))
    assert str(caught.value).startswith(words) or words == "has a duration of 0" in str(caught.value)


@pytest.mark.parametrize("name", ["epochs", "max_steps", "tol", "validation", "patience", "resume", "evaluate"])
def test_options_of_many_epochs_have_no_meaning(name):
    with pytest.raises(TypeError, match=rf"partial_fit\(\) does not take {name}: "):
        fastgd.partial_fit(X, Y, **{name: 1})


def test_unknown_options_and_results_are_refused():
    with pytest.raises(TypeError, match="unexpected option 'apha'"):
        fastgd.partial_fit(X, Y, apha=1)
    with pytest.raises(TypeError, match=r"^r must be a result of fit or the path of a saved one, got int"):
        fastgd.partial_fit(X, Y, 3)


def test_columns_keep_their_names_and_order():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    r = fastgd.partial_fit(frame, Y)
    with pytest.raises(
        ValueError, match=r"^r: X has the columns \('c', 'b', 'a'\), but the run was on \('a', 'b', 'c'"
    ):
        fastgd.partial_fit(frame[["c", "b", "a"]], Y, r)
    assert fastgd.partial_fit(X, Y, r).feature_names == ("a", "b", "c")


@pytest.mark.parametrize("batch", ["auto", 1, None])
def test_automatic_chunks_come_near_the_least_squares_of_all_rows(batch):
    rng = np.random.default_rng(0)
    rows = 2000 if JIT_OFF else 20_000
    X = rng.standard_normal((rows, 3)) * [1.0, 100.0, 0.01] + [0.0, 1000.0, 1.0]
    y = 5 + X @ [1.0, -0.02, 150.0] + 0.1 * rng.standard_normal(rows)
    r = in_chunks(X, y, rows // 20, batch_size=batch, random_state=0, again=lambda r: r)
    best = np.linalg.lstsq(np.column_stack([X, np.ones(rows)]), y, rcond=None)[0]
    worst = np.mean((y - y.mean()) ** 2)
    excess = np.mean((r.predict(X) - X @ best[:3] - best[3]) ** 2)
    # The full batch of a chunk takes 20 steps in all.
    assert excess < (0.2 if batch is None else 0.01) * worst


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_chunk_that_diverges_keeps_the_last_finite_weights(optimizer):
    options = {**GIVEN, "optimizer": optimizer, "batch_size": 16}
    good = fastgd.partial_fit(X, Y, **options)
    huge = np.where(np.arange(N)[:, None] < 32, X, 1e200 * X)
    with pytest.warns(RuntimeWarning, match="^Diverged: the loss or a weight became infinite"):
        bad = fastgd.partial_fit(huge, Y, good)
    assert bad.status == "diverged" and np.isfinite(bad.coef).all()
    np.testing.assert_array_equal(bad.coef, good.coef)
    assert bad.n_epochs == good.n_epochs == bad.history.loss.size
    np.testing.assert_array_equal(fastgd.partial_fit(X, Y, bad).coef, fastgd.partial_fit(X, Y, good).coef)
    with pytest.raises(ValueError, match="X holds NaN or infinity, the first in row 3, column 0"):
        fastgd.partial_fit(np.where(np.arange(N)[:, None] == 3, np.nan, X), Y, good)


def test_an_interrupted_chunk_does_not_shift_the_next(monkeypatch):
    from fastgd.solvers.batches import Batches

    options = {**GIVEN, "batch_size": 16}
    good = fastgd.partial_fit(X, Y, **options)
    advance = Batches.advance

    def interrupted(self, lanes, state, rates, clock, steps):
        self.slice = 32  # a slice of a large chunk is a part of it
        if clock.row == 64:
            raise KeyboardInterrupt
        return advance(self, lanes, state, rates, clock, steps)

    with monkeypatch.context() as patched:
        patched.setattr(Batches, "advance", interrupted)
        r = fastgd.partial_fit(X, Y, good)
    assert (r.status, r.n_epochs, r.n_steps) == ("interrupted", 1, good.n_steps + 4)
    assert r.state.row == 64
    # The rest of the chunk, where that is wanted, is a chunk.
    same_model(fastgd.partial_fit(X[64:], Y[64:], r), fastgd.partial_fit(X, Y, good))


def test_a_callback_is_told_of_each_chunk():
    told = []
    in_chunks(X, Y, **GIVEN, callback=lambda progress: told.append((progress.epoch, progress.n_steps)))
    assert told == [(k + 1, k + 1) for k in range(6)]


def test_a_column_that_varies_later_is_learned():
    """A category that comes with the second half, and a first chunk of one row."""
    rng = np.random.default_rng(0)
    Z = np.column_stack([rng.normal(size=20_000), np.arange(20_000) >= 10_000])
    target = Z @ [1.0, 5.0]
    for first in (1, 1000):
        r = None
        for rows in np.split(np.arange(20_000), range(first, 20_000, 1000)):
            r = fastgd.partial_fit(Z[rows], target[rows], r)
        assert r.coef[1] > 1


def test_a_stream_that_diverges_says_so():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(5000, 2))
    r = None
    with pytest.warns(RuntimeWarning, match=r"^Diverged: .*Lower learning_rate") as told:
        for rows in np.split(np.arange(5000), 5):
            r = fastgd.partial_fit(Z[rows], Z[rows] @ [1.0, 2.0], r, learning_rate=10.0, standardize=True)
    assert len(told) == 1
    assert r.status == "diverged"
    assert np.isfinite(r.coef).all()


@pytest.mark.parametrize("batch", ["full", "auto", 8])
def test_why_the_solvers_of_whole_fits_do_not_suit(batch):
    r = fastgd.partial_fit(X, Y, batch_size=batch)
    names = ("quasi_newton", "interior_point", "staged_sgd")
    why = "; ".join(f"{name} does not suit (the data come in chunks)" for name in names)
    assert r.choices["solver"] == f"first_order: {why}"


def test_a_chunk_as_long_as_a_batch_is_no_full_batch():
    """The first chunk says what is done with those to come: also where it happens to hold just one batch."""
    one = [fastgd.partial_fit(X[:rows], Y[:rows], batch_size=16).options for rows in (15, 16, 17)]
    assert len({options["optimizer"]["name"] for options in one}) == 1
    assert len({options["learning_rate"]["name"] for options in one}) == 1


def test_a_later_chunk_starts_where_the_one_before_ended():
    r = fastgd.partial_fit(X, Y, start=(np.ones(3), 0.0))
    with pytest.raises(ValueError, match="start is for the first chunk: leave it out, or start a new run without r"):
        fastgd.partial_fit(X, Y, r, start=(np.ones(3), 0.0))
