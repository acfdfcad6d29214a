"""Limits that hold for each key by itself. For engines that have `limit_keys`."""

from __future__ import annotations

from ...job import JobState
from ..contract import Engine
from ..values import Extension
from ..virtual_clock import VirtualClock
from .cases_cancel import cancel
from .cases_limits import a_rate, a_rule, accept, end, hold, use_of
from .harness import EngineHarness
from .samples import LEASE_SECONDS, START, a_job, an_end, ids, numbered, settle, take


class KeyedLimitCases(EngineHarness):
    """What `receive` and `share` promise of limits with keys."""

    async def test_each_key_has_the_limit_by_itself(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """A key without room holds up no other; its own next job goes when one ends."""
        rule = a_rule(in_flight=1, keyed=True)
        await accept(engine, 3, keys={"db": "a"})
        await accept(engine, 1, first=11, keys={"db": "b"})
        held = await take(engine, 9, limits=[rule])
        assert ids(held) == numbered(1, 11)
        assert held[0].keys == {"db": "a"}
        assert not await take(engine, 9, limits=[rule])
        await end(engine, held[0], clock)
        await clock.advance(1)
        assert len(await take(engine, 9, limits=[rule])) == 1
        assert (await use_of(engine)).running == 2

    async def test_each_key_has_the_rate_by_itself(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """Starts of one key leave another's alone."""
        rule = a_rate(per_second=1, burst=1, keyed=True)
        await accept(engine, 3, keys={"db": "a"})
        await accept(engine, 1, first=11, keys={"db": "b"})
        assert ids(await take(engine, 9, limits=[rule])) == numbered(1, 11)
        assert not await take(engine, 9, limits=[rule])
        await clock.advance(1.1)
        assert len(await take(engine, 9, limits=[rule])) == 1

    async def test_a_key_counts_for_as_long_as_its_job_runs(
        self, engine: Engine, clock: VirtualClock
    ) -> None:
        """However long that is, and whatever is purged meanwhile."""
        rule = a_rule(in_flight=1, keyed=True)
        await accept(engine, 2, keys={"db": "a"})
        (held,) = await take(engine, 9, limits=[rule])
        for _ in range(20):
            await clock.advance(LEASE_SECONDS - 1)
            await engine.extend([Extension(lease=held.lease, lease_seconds=LEASE_SECONDS)])
            await engine.purge(10)
        assert not await take(engine, 9, limits=[rule])
        await end(engine, held, clock)
        await clock.advance(1)
        assert ids(await take(engine, 9, limits=[rule])) == numbered(2)

    async def test_each_key_is_held_by_itself(self, engine: Engine) -> None:
        """One key's share leaves another's claims alone."""
        rule = a_rule(in_flight=1, keyed=True)
        await accept(engine, 1, keys={"db": "a"})
        await accept(engine, 1, first=11, keys={"db": "b"})
        wide = a_rule(in_flight=3, keyed=True, name="wide")
        assert (await hold(engine, 2, wide, key="a")).slots == 2
        assert (await hold(engine, 5, wide, key="b")).slots == 3
        assert (await hold(engine, 1, rule, key="a")).slots == 1
        assert ids(await take(engine, 9, limits=[rule])) == numbered(11)

    async def test_a_keyed_place_is_its_keys(self, engine: Engine) -> None:
        """It comes back under the key of the job."""
        rule = a_rule(in_flight=1, keyed=True)
        await engine.accept([a_job(1, keys={"db": "a"}), a_job(2, keys={"db": "b"})])
        held = await take(engine, limits=[rule])
        await engine.accept([a_job(3, keys={"db": "a"}), a_job(4, keys={"db": "b"})])
        await cancel(engine, 1)
        await settle(engine, an_end(held[0], JobState.QUEUED, START))
        assert ids(await take(engine, limits=[rule])) == numbered(3)
