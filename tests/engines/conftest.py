"""The cluster that tests share; those that kill workers make their own."""

import pytest
from clusters import local


@pytest.fixture(scope="session")
def client():
    """Two workers, processes of one thread each."""
    with local(2) as client:
        yield client
