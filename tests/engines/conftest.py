"""A cluster of two processes, which tests share; those that kill workers make their own (``clusters.py``)."""

import pytest

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="session")
def cluster():
    """Two workers, processes of one thread each."""
    from clusters import local

    with local(2) as client:
        yield client
