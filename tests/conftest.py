"""What the tests in all folders share: their helpers, and a PostgreSQL."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of our own, for as long as the tests run."""
    with Postgres() as server:
        yield server
