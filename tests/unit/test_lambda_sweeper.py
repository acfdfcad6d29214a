"""The function of each minute: it ends before the next one."""

from __future__ import annotations

import asyncio

import pytest
from recorded import Context

from eitherway import App
from eitherway.lambdas.environment import Invocation
from eitherway.lambdas.sweeper import sweep
from eitherway.testing import TestApp
from eitherway.worker.reaper import Reaper


async def test_what_its_time_is_too_short_for_is_the_next_one_s(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def settle_two(_: Reaper) -> int:
        return 2

    async def purge_for_ever(_: Reaper) -> int:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(Reaper, "reap", settle_two)
    monkeypatch.setattr(Reaper, "purge", purge_for_ever)
    async with TestApp(App("minutes")) as tested:
        invocation = Invocation(tested.app, Context(0.2), asyncio.Event())
        assert await sweep(invocation) == {"settled": 2, "purged": 0}
    assert "the next minute goes on" in caplog.text
