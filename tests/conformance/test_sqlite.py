"""The SQLite engine passes the conformance kit, in a file and in memory."""

from pathlib import Path

import pytest

from eitherway.clock import SystemClock
from eitherway.engine.conformance import (
    CancelLaneCases,
    CrashCases,
    EngineCases,
    EngineHarness,
    KeyedLimitCases,
    LaneCases,
    OwnedEventCases,
    PromoteCases,
    SharedCases,
    SharedChargeCases,
    SharedKeyCases,
    SharedPromoteCases,
)
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.ids import Randomness


class InMemory(EngineHarness):
    """A store that lives and dies with its engine."""

    engine_class = SqliteEngine

    @pytest.fixture
    def url(self) -> str:
        return "sqlite://:memory:"


class OnTheLoop(SqliteEngine):
    """Writes on the event loop, as in a worker that waits for nothing else."""

    may_block = staticmethod(lambda: True)


class InFile(EngineHarness):
    """A store that several processes may open."""

    engine_class = SqliteEngine

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/jobs.db"


class AbleCases(PromoteCases, OwnedEventCases, LaneCases, CancelLaneCases, KeyedLimitCases):
    """What not every engine has."""


class TestMemory(EngineCases, AbleCases, InMemory):
    """One engine, nothing on disk."""


class TestFile(EngineCases, AbleCases, InFile):
    """One engine, one file."""


class TestFileOnTheLoop(EngineCases, InFile):
    """The same, written without a thread."""

    engine_class = OnTheLoop


class TestFileShared(SharedCases, SharedChargeCases, SharedKeyCases, SharedPromoteCases, InFile):
    """Several engines, one file."""


@pytest.mark.slow
class TestFileCrashes(CrashCases, InFile):
    """Processes killed over one file."""


@pytest.mark.parametrize(("url", "shared"), [("sqlite://:memory:", False), ("sqlite:///a", True)])
def test_the_shared_cases_run_where_the_engine_is_shared(url: str, shared: bool) -> None:
    engine = SqliteEngine.from_url(url, clock=SystemClock(), randomness=Randomness())
    assert engine.capabilities.shared is shared
