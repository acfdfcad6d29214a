"""Lets the unit tests import their helpers, and gives those of the engine on AWS their engines."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from eitherway.engine.conformance.samples import START
from eitherway.engine.loader import load_engine
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.ids import Randomness


@pytest.fixture
def clock() -> VirtualClock:
    """The time of a test's engines."""
    return VirtualClock(START)


@pytest.fixture
def prefix(stack_url: str) -> str:
    """What everything of the test's stack is called."""
    return stack_url.rpartition("/")[2]


@pytest.fixture
async def another(stack_url: str, clock: VirtualClock) -> AsyncIterator[Callable[[], Awaitable]]:
    """Opens engines on the test's stack, as processes of their own have them."""
    async with AsyncExitStack() as engines:

        async def opened():
            engine = load_engine(stack_url, clock=clock, randomness=Randomness())
            await engine.open()
            engines.push_async_callback(engine.close)
            return engine

        yield opened


@pytest.fixture
async def engine(another):
    """An open engine on the test's stack."""
    return await another()
