"""What the tests in all folders share: their helpers, and a PostgreSQL."""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from aws import REGION, moto
from postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of our own, for as long as the tests run."""
    with Postgres() as server:
        yield server


stacks = count(1)


@pytest.fixture(scope="session")
def moto_environment() -> Iterator[dict[str, str]]:
    """Where AWS is on loopback, as an environment: one for all tests, which take a prefix each."""
    with moto() as environment:
        yield environment


@pytest.fixture
def stack_url(moto_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty stack, which is found by what the test starts, too."""
    for name, value in moto_environment.items():
        monkeypatch.setenv(name, value)
    return f"aws://{REGION}/s{next(stacks)}"
