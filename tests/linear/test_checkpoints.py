"""Files that a fit writes while it runs: from each of them it goes on to the bits of a run that was never stopped."""

import shutil

import numpy as np
import pytest

import fastgd
from fastgd import sources
from fastgd.sources.rows import SourceRows

RNG = np.random.default_rng(0)


class Kept:
    """An engine that reads rows where they lie, and has a checkpoint."""

    checkpoint_every = 0.0

    def __init__(self, checkpoint):
        self.checkpoint = checkpoint

    def rows(self, source):
        """Of a source."""
        return SourceRows(source)


@pytest.fixture(autouse=True)
def any_engine(monkeypatch):
    """Engines are not looked at."""
    monkeypatch.setattr("fastgd.engines.engine_of", lambda engine: engine)


def source_of(folder, loss):
    """Some rows with targets for a loss."""
    X = RNG.standard_normal((3000, 5))
    z = X @ np.linspace(-1, 1, 5)
    labels = np.where(z + RNG.logistic(size=len(z)) > 0, "yes", "no")
    targets = {"multinomial": np.digitize(z, [-1.0, 1.0]), "squared_error": z + RNG.standard_normal(len(z))}
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", targets.get(loss, labels))
    return sources.npy(folder / "X.npy", folder / "y.npy")


CASES = [
    {"loss": "log_loss", "optimizer": "momentum", "epochs": 6},
    {"loss": "log_loss", "optimizer": "adam", "epochs": 6, "validation": 0.2},
    {"loss": "log_loss", "alpha": 0.01, "l1_ratio": 0.5, "tol": 1e-12},
    {"loss": "multinomial"},
    {"loss": "hinge", "tol": 1e-9},
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(map(str, case.values())))
def test_a_run_goes_on_from_every_checkpoint(tmp_path, case):
    source, engine, copies = source_of(tmp_path, case["loss"]), Kept(tmp_path / "kept.npz"), []

    def copy(progress):
        copies.append(tmp_path / f"{len(copies)}.npz")
        shutil.copy(engine.checkpoint, copies[-1])

    expected = fastgd.fit(source, random_state=0, **case)
    whole = fastgd.fit(source, engine=engine, random_state=0, callback=copy, **case)
    np.testing.assert_array_equal(whole.coef, expected.coef)
    assert len(copies) >= 2
    for path in copies:
        assert fastgd.load(path).status == "interrupted"
        found = fastgd.fit(source, resume=path, random_state=0, **case)
        np.testing.assert_array_equal(found.coef, expected.coef)
        np.testing.assert_array_equal(found.history.loss, expected.history.loss)
        assert found.status == expected.status
        if path != copies[-1]:  # where no step is left the loss is that of the last record
            assert found.loss == expected.loss


def test_a_checkpoint_is_written_when_it_is_time(tmp_path):
    source, engine = source_of(tmp_path, "log_loss"), Kept(tmp_path / "kept.npz")
    engine.checkpoint_every = 1e9
    fastgd.fit(source, engine=engine, loss="log_loss")
    assert not engine.checkpoint.exists()
    with pytest.raises(ValueError, match="checkpoint keeps the run of one model: leave out bootstrap"):
        fastgd.fit(source, engine=engine, loss="log_loss", bootstrap=5)


def test_a_checkpoint_in_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"checkpoint='.*none.run.npz' is in a folder that is not there"):
        fastgd.fit(source_of(tmp_path, "squared_error"), engine=Kept(tmp_path / "none" / "run.npz"))
