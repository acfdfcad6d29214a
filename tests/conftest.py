"""What the tests in all folders share: their helpers, and a PostgreSQL."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from aws import moto
from postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of our own, for as long as the tests run."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def moto_environment() -> Iterator[dict[str, str]]:
    """Where AWS is on loopback, as an environment: one for all tests, which take a prefix each."""
    with moto() as environment:
        yield environment
