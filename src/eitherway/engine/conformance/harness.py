"""What an engine author gives to the kit, and what every case is given by it."""

from __future__ import annotations

import asyncio
from abc import ABC
from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import Any, ClassVar, TypeVar

import pytest

from ...clock import Clock
from ...ids import Randomness
from ..contract import Engine
from ..virtual_clock import VirtualClock
from .samples import START

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
"""Real time after which a case that waits for a signal has failed."""


class EngineHarness(ABC):
    """One engine on one kind of store. Subclass with case classes; name the class and the URL.

    `engine_class` is the engine; the fixture `url` names a store that is empty for each test.
    Override `clock` where the store keeps a time of its own.
    """

    engine_class: ClassVar[type[Engine]]

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse case classes that hide one another's cases."""
        super().__init_subclass__(**options)
        seen: dict[str, object] = {}
        for ancestor in cls.__mro__:
            for name, case in vars(ancestor).items():
                if name.startswith("test_") and seen.setdefault(name, case) is not case:
                    raise TypeError(f"{cls.__name__}: two cases are called {name}")

    @pytest.fixture
    def url(self) -> str:
        """The URL of a store that is empty for each test. Yours to override."""
        raise NotImplementedError("override the fixture `url`: a store that is empty for each test")

    @pytest.fixture
    def clock(self) -> VirtualClock:
        """The time of every engine of a test."""
        return VirtualClock(START)

    @pytest.fixture
    async def engine(self, url: str, clock: VirtualClock) -> AsyncIterator[Engine]:
        """An open engine on an empty store."""
        engine = self.make(url, clock)
        await engine.open()
        yield engine
        await engine.close()

    @pytest.fixture
    async def other(self, engine: Engine, url: str, clock: VirtualClock) -> AsyncIterator[Engine]:
        """Another open engine on the store of `engine`, as another process has it."""
        assert engine.capabilities.shared
        other = self.make(url, clock)
        await other.open()
        yield other
        await other.close()

    def make(self, url: str, clock: Clock, **options: Any) -> Engine:
        """An engine on the store `url`, not yet open."""
        return self.engine_class.from_url(url, clock=clock, randomness=Randomness(1), **options)


async def soon(awaitable: Awaitable[T]) -> T:
    """What it gives, or `TimeoutError`: a case must fail rather than hang."""
    return await asyncio.wait_for(awaitable, PATIENCE_SECONDS)


async def while_waiting(clock: VirtualClock, waiting: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task of `waiting` that has come to wait on the clock."""
    task = asyncio.create_task(waiting)
    armed = asyncio.create_task(clock.armed())
    await asyncio.wait({task, armed}, timeout=PATIENCE_SECONDS, return_when="FIRST_COMPLETED")
    await cancel(armed)
    assert not task.done(), f"did not wait, but gave {task.result()!r}"
    return task


async def as_time_passes(clock: VirtualClock, task: asyncio.Task[T], within_seconds: float) -> T:
    """What `task` gives within so much time, moved on in small steps."""
    end = clock.now() + within_seconds
    while clock.now() < end:
        await clock.advance(0.125)
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS / 1000)
        if done:
            return task.result()
    raise AssertionError(f"nothing came within {within_seconds} seconds")


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and see it end."""
    task.cancel()
    await soon(asyncio.wait({task}))
