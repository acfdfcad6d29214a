"""The engine on DynamoDB and SQS passes the conformance kit, against moto."""

import pytest

from aws import REGION
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


class InStack(EngineHarness):
    """Empty tables and queues under a prefix of their own."""

    engine_class = AwsEngine

    @pytest.fixture
    def url(self, stack_url: str) -> str:
        return stack_url


@pytest.mark.slow
class TestStack(EngineCases, OwnedEventCases, InStack):
    """One engine, one stack."""


@pytest.mark.slow
class TestStackShared(SharedCases, SharedChargeCases, SharedKeyCases, InStack):
    """Several engines, one stack."""


@pytest.mark.slow
class TestStackCrashes(CrashCases, InStack):
    """Processes killed over one stack."""


def test_the_cases_that_run_are_those_of_what_it_can() -> None:
    url = f"aws://{REGION}"
    engine = AwsEngine.from_url(url, clock=SystemClock(), randomness=Randomness())
    able = engine.capabilities
    assert able.shared
    assert able.events_by_owner
    assert not able.promotes_running
    assert not able.lanes
    assert not able.limit_keys
