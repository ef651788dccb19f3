"""Clusters that tests share; those that kill workers make their own."""

import pytest

pytest.importorskip("distributed")
from clusters import local
from fastgd.inputs import opened


@pytest.fixture(scope="session")
def client():
    """Two workers, processes of one thread each."""
    with local(2) as client:
        yield client


@pytest.fixture
def fit_on(monkeypatch):
    """``fit_on(engine, source, **options)``."""
    import fastgd
    from fastgd.inputs.arrays import Matrix

    def fit_on(engine, source, **options):
        with monkeypatch.context() as patch:
            patch.setattr(opened, "matrix", lambda source: Matrix(engine.rows(source), None))
            return fastgd.fit(source, **options)

    return fit_on
