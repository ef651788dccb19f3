"""What fastgd runs on, and compiling ahead of time."""

import os

import numpy as np
import pytest

import fastgd
from fastgd.config import warm_up_each
from fastgd.kernels.threads import thread_limits

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT") == "1"


def test_show_config_prints_what_it_returns(capsys, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    config = fastgd.show_config(mode="dicts")
    assert capsys.readouterr().out == ""
    assert fastgd.show_config() is None
    out = capsys.readouterr().out
    assert config["environment"]["NUMBA_NUM_THREADS"] == "1"
    assert config["threads"]["available"] == 1 == config["threads"]["limits"]["NUMBA_NUM_THREADS"]
    assert config["cpu"]["vector_bits"] in (128, 256, 512)
    for part in config.values():
        for name, value in part.items():
            assert name in out
            if isinstance(value, str):
                assert value in out
    assert not any(line != line.rstrip() for line in out.splitlines())


def test_show_config_wants_a_known_mode():
    with pytest.raises(ValueError, match=r"mode='dict' is not known\. Did you mean 'dicts'"):
        fastgd.show_config(mode="dict")


def test_the_limit_is_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    limits = thread_limits()
    assert limits["OMP_NUM_THREADS"] == 3
    assert "NUMBA_NUM_THREADS" not in limits


@pytest.mark.jit
def test_the_cache_is_counted():
    from fastgd.kernels import environment

    fastgd.warmup("squared_error", dtypes=["float64"], batch_sizes=[None])
    cache = fastgd.show_config(mode="dicts")["cache"]
    loaded, compiled = environment.counts()
    assert (cache["hits"], cache["misses"]) == (loaded, compiled)
    assert loaded + compiled >= 4
    assert cache["writable"]
    assert cache["files"] == len([name for name in os.listdir(cache["path"]) if name.endswith((".nbi", ".nbc"))]) > 0
    assert cache["bytes"] > 10_000


@pytest.mark.jit
def test_warmup_leaves_nothing_to_compile():
    """After it, a fit of another shape compiles and loads nothing."""
    from fastgd.kernels import environment
    from fastgd.kernels.full_batch import chunk_rows
    from fastgd.kernels.layouts import Dense

    done = fastgd.warmup(dtypes="float64", batch_sizes=[None])
    assert done.compiled == sum(fit["compiled"] for fit in done.fits)
    assert done.loaded == sum(fit["loaded"] for fit in done.fits)
    before = environment.counts()
    X = np.random.default_rng(0).standard_normal(
        (chunk_rows(Dense(np.empty((0, 3)))) + 1, 3)
    )  # more than a chunk: kernels of their own
    r = fastgd.fit(X, X[:, 0], epochs=2)
    assert np.isfinite(r.loss)
    assert environment.counts() == before
    fastgd.sweep(X, X[:, 0], learning_rate=[0.01, 0.02], epochs=2)
    fastgd.fit(X, X[:, 0] > 0, loss="log_loss", learning_rate=0.1, epochs=2)
    assert environment.counts() == before
    again = fastgd.warmup(dtypes="float64", batch_sizes=[None])
    assert again[:2] == (0, 0)


def test_warmup_fits_every_combination(monkeypatch):
    calls = []

    class Result:
        loss, losses = 0.0, (0.0, 0.0)

    def called(X, y, **options):
        calls.append((X, y, options))
        return Result()

    monkeypatch.setattr(fastgd, "fit", called)
    monkeypatch.setattr(fastgd, "sweep", called)
    fastgd.warmup(["huber", "log_loss"], "sgd", ["float32"], [None, 5], [False, True], 0.5)
    assert len(calls) == 24  # fits and sweeps; the full batch twice: one chunk of rows, and more
    swept = [options for *_, options in calls if isinstance(options["learning_rate"], list)]
    assert [options["learning_rate"] for options in swept] == [[0.5, 1.5]] * 12
    calls = [call for call in calls if call[2] not in swept]
    for X, y, options in calls:
        assert X.dtype == y.dtype == "float32"
        assert len(set(y)) == 2
        assert options["batch_size"] is None or options["batch_size"] < len(X)
        assert options["learning_rate"] == 0.5
    assert {options["alpha"] for *_, options in calls} == {0.0, 1.0}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"losses": "hubr"}, "losses='hubr' is not known. Did you mean 'huber'"),
        ({"optimizers": ["auto", "adm"]}, "optimizers='adm' is not known"),
        ({"dtypes": ["int8"]}, "dtypes='int8' is not known"),
        ({"dtypes": ["nothing"]}, "dtypes='nothing' is not known"),
        ({"batch_sizes": [0]}, "batch_sizes=0 must be at least 1"),
        ({"penalties": ["l1"]}, "penalties='l1' must be True or False"),
        ({"sweeps": ["yes"]}, "sweeps='yes' must be True or False"),
        ({"learning_rates": [-1.0]}, "learning_rates=-1 must be greater than 0"),
    ],
)
def test_warmup_names_what_is_wrong_before_it_compiles(monkeypatch, options, text):
    monkeypatch.setattr(fastgd, "fit", lambda *_, **__: pytest.fail("nothing may run"))
    with pytest.raises((ValueError, TypeError), match=text):
        fastgd.warmup(**{"dtypes": ["float64"], **options})


@pytest.mark.skipif(not JIT_OFF, reason="only where nothing is compiled")
def test_without_compiling_there_is_no_cache():
    assert fastgd.show_config(mode="dicts")["cache"]["path"] is None


def test_each_fit_is_yielded_when_it_is_done():
    fits = warm_up_each(["squared_error"], ["auto"], ["float64", "float32"], [None], [False], ["auto"], [False])
    assert next(fits)["dtype"] == "float64"
