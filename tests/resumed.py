"""Runs that are stopped and go on: the data, and what tests compare."""

import numpy as np

import fastgd
from fastgd.results.serialization import encode

RNG = np.random.default_rng(3)
X = RNG.standard_normal((37, 3))
Y = 2 + X @ [1.0, -2.0, 0.5] + 0.3 * RNG.standard_normal(37)
LABELS = np.where(Y > 2, "yes", "no")
OUTLIERS = np.where(RNG.uniform(size=(37, 1)) < 0.1, 300.0, 1.0) * X
EPOCHS = 5


def facts_of(r):
    """All of a result that has to be the same, as one dict of plain values and bytes."""
    plain = ("status", "message", "n_epochs", "n_steps", "best_epoch", "choices", "feature_names", "intercept")
    metadata, arrays = encode(r.state)
    found = {name: getattr(r, name) for name in plain} | {f"state.{name}": value for name, value in metadata.items()}
    arrays = {"coef": r.coef, **arrays, **{f"r.{name}": array for name, array in vars(r.history).items()}}
    found |= {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items() if not name.endswith("seconds")}
    found["intercept"] = np.asarray(r.intercept).tolist()
    return found | {"classes": None if r.classes is None else (r.classes.dtype.str, r.classes.tolist())}


def same(a, b):
    """Assert that two results have the same bits but for the seconds."""
    a, b = facts_of(a), facts_of(b)
    assert {name for name in a.keys() | b.keys() if a.get(name) != b.get(name)} == set()


def stop_after(k, how="returns"):
    """A callback that ends the run after epoch ``k``."""

    def callback(progress):
        if progress.epoch == k and how == "raises":
            raise KeyboardInterrupt
        return progress.epoch == k

    return callback


def goes_on(X, y, stops, epochs=EPOCHS, again=lambda r: r, fit=fastgd.fit, **options):
    """Assert that a run stopped by each of ``stops`` (options) in turn ends as one that was not; returns both."""
    whole, r = fit(X, y, epochs=epochs, **options), None
    for stop in stops:
        r = again(fit(X, y, **{"epochs": epochs, **options, **stop, "resume": r}))
    gone_on = fit(X, y, epochs=epochs, resume=r, **options)
    same(gone_on, whole)
    return whole, r
