"""The engine on DynamoDB and SQS passes the conformance kit, against moto."""

from collections.abc import Iterator
from itertools import count

import pytest

from eitherway.clock import SystemClock
from eitherway.engine.conformance import (
    AcceptCases, OpenCases, ReadyCases, ReceiveCases, ExtendCases, OverdueCases, PurgeCases, SettleCases, FenceCases, CancelCases, HideCases, TombstoneCases, TogetherCases, ItemCases, CheckCases, QueryCases, ChargeCases, EnqueueCases, EventCases, MessageCases,
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


class TestOpenCases(OpenCases, InStack): ...

class TestAcceptCases(AcceptCases, InStack): ...

class TestReadyCases(ReadyCases, InStack): ...

class TestReceiveCases(ReceiveCases, InStack): ...

class TestExtendCases(ExtendCases, InStack): ...

class TestOverdueCases(OverdueCases, InStack): ...

class TestPurgeCases(PurgeCases, InStack): ...

class TestSettleCases(SettleCases, InStack): ...

class TestFenceCases(FenceCases, InStack): ...

class TestCancelCases(CancelCases, InStack): ...

class TestHideCases(HideCases, InStack): ...

class TestTombstoneCases(TombstoneCases, InStack): ...

class TestTogetherCases(TogetherCases, InStack): ...

class TestItemCases(ItemCases, InStack): ...

class TestCheckCases(CheckCases, InStack): ...

class TestQueryCases(QueryCases, InStack): ...

class TestChargeCases(ChargeCases, InStack): ...

class TestEnqueueCases(EnqueueCases, InStack): ...

class TestEventCases(EventCases, InStack): ...

class TestMessageCases(MessageCases, InStack): ...

class TestOwnedEventCases(OwnedEventCases, InStack): ...

class TestSharedCases(SharedCases, InStack): ...

class TestSharedChargeCases(SharedChargeCases, InStack): ...

class TestCrash(CrashCases, InStack): ...
