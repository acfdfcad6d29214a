"""The engine on DynamoDB and SQS passes the conformance kit, against moto."""

from collections.abc import Iterator
from itertools import count

import pytest

from eitherway.clock import SystemClock
from eitherway.engine.conformance import (
    CrashCases,
    EngineCases,
    EngineHarness,
    OwnedEventCases,
    SharedCases,
    SharedChargeCases,
    SharedKeyCases,
)
from eitherway.engines.aws.engine import AwsEngine
from eitherway.ids import Randomness
from aws import REGION, moto

stacks = count(1)


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    """One server for all of this file; each test has a stack of its own."""
    with moto() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


class InStack(EngineHarness):
    """Empty tables and queues under a prefix of their own."""

    engine_class = AwsEngine

    @pytest.fixture
    def url(self) -> str:
        return f"aws://{REGION}/t{next(stacks)}"


class TestStack(EngineCases, OwnedEventCases, InStack):
    """One engine, one stack."""


class TestStackShared(SharedCases, SharedChargeCases, SharedKeyCases, InStack):
    """Several engines, one stack."""


@pytest.mark.slow
class TestStackCrashes(CrashCases, InStack):
    """Processes killed over one stack."""


def test_the_shared_cases_run_as_the_engine_is_shared() -> None:
    url = f"aws://{REGION}"
    engine = AwsEngine.from_url(url, clock=SystemClock(), randomness=Randomness())
    assert engine.capabilities.shared
