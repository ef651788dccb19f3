"""Rows of the comparison of sources are what their names say, and all ways of fastgd end at the same model."""

import numpy as np
import pytest

from . import source_rows, source_ways, sources

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rows and their cache, for the log loss."""
    folder = tmp_path_factory.mktemp("rows") / "shuffled"
    assert source_rows.write(folder, 0.002) == source_rows.cached(folder, "log_loss").n
    return folder


def test_rows_by_date_drift():
    n = source_rows.GROUP
    apart = [np.abs(X[: n // 2, 0].mean() - X[n // 2 :, 0].mean()) for X in (
        source_rows.group(0, n, by_date)[0] for by_date in (False, True)
    )]  # fmt: skip
    assert apart[0] < 0.02 and 0.45 < apart[1] < 0.55


def test_the_cache_has_the_rows_of_the_files(folder):
    X, label = source_rows.in_memory(folder, "log_loss")
    expected, _, labels = source_rows.group(0, len(X), False)
    assert np.array_equal(X, expected) and np.array_equal(label, labels)


@pytest.mark.long
@pytest.mark.slow
def test_ways_end_at_one_optimum(folder):
    optimum = sources.optimum_of(folder, "log_loss")
    runs = {name: source_ways.ran(name, folder, "log_loss") for name in ("parquet", "cached", "memory")}
    assert runs["parquet"].coef == runs["cached"].coef == runs["memory"].coef
    ends = source_rows.mean_loss(folder, "log_loss", runs["parquet"].coef, runs["parquet"].intercept)
    assert 0.3 < optimum <= ends * (1 + 1e-12) < optimum * (1 + 1e-5)
    peer = source_ways.ran("scikit-learn", folder, "log_loss", rate=1e-2, epochs=20)
    ends = source_rows.mean_loss(folder, "log_loss", peer.coef, peer.intercept)
    assert optimum < ends < 1.05 * optimum


@pytest.mark.long
@pytest.mark.slow
def test_parts_add_up_and_decoding_is_seen(folder):
    from_parquet, blocks = (
        source_ways.ran(name, folder, "log_loss", parts=True).parts for name in ("parquet", "cached")
    )
    for parts in (from_parquet, blocks):
        assert sum(parts[name] for name in ("decode", "copy", "kernels")) == pytest.approx(1)
    assert from_parquet["decode"] > 0 == blocks["decode"]


def test_the_page_has_a_line_for_each_way():
    run = source_ways.Ran(2.0, 1.0, 30.0, [], 0.0, {})
    lines = sources.rows_of(None, "log_loss", 0.5, {"fit(parquet)": [run], "text": [run._replace(wall=5.0)]})
    assert sources.table(sources.HEAD, lines).splitlines()[-1] == "| text | 5.00 | 1.00 | 30 |  | 2.50 |"
