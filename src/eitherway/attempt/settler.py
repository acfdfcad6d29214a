"""Settles attempts: those that end in one turn of the event loop, in one call of the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.values import Settled, Settlement, SettleStatus
from ..errors import EngineUnavailableError

logger = logging.getLogger("eitherway.worker")

_PAUSE_SECONDS = 0.5


class Ending(Protocol):
    """An attempt that has ended, and is told once what became of it."""

    @property
    def stopped(self) -> bool:
        """Whether it does not wait for an engine that is away."""

    def settlement(self, now: float) -> Settlement:
        """How it is to be settled, ending at this time."""

    def settled(self, became: Settled) -> None:
        """This became of it."""

    def unsettled(self, error: Exception) -> None:
        """Nothing becomes of it: a mistake, or what the engine will not do."""


Turn = list[tuple[Settlement, Ending]]
"""Settlements of one turn, and who is told what becomes of each."""


class Settler:
    """Gathers ends. What is handed over is settled, whether somebody waits for it or not."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn: list[Ending] = []
        self._settling: set[asyncio.Task[None]] = set()  # the event loop itself would let go
        self.waiting = 0  # jobs that the engine settles at this moment
        self._ended: asyncio.Future[None] | None = None

    def add(self, ending: Ending) -> None:
        """Settle this, and try again while the engine is away.

        Attempts that end in one turn of the loop end at one time, the turn's end: engines write
        what is alike at once.
        """
        if not self._turn:
            asyncio.get_running_loop().call_soon(self._end_turn)
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)
        self._turn.append(ending)

    def ended(self) -> asyncio.Future[None]:
        """Done when the next attempt has ended, in the turn of the loop in which it did."""
        if self._ended is None or self._ended.done():
            self._ended = asyncio.get_running_loop().create_future()
        return self._ended

    def settle(self, settlement: Callable[[float], Settlement]) -> asyncio.Future[Settled]:
        """The same for one who waits: what becomes of it. The mistakes of `Ending` are raised."""
        awaited = _Awaited(settlement)
        self.add(awaited)
        return awaited.future

    async def settle_all(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Settle these, again and again while the engine is away: their leases are extended.

        Raises the first mistake, or what the engine will never do, once all the rest is settled.
        """
        awaited = [_Awaited(partial(_as_it_is, one)) for one in settlements]
        await self._settle(list(zip(settlements, awaited, strict=True)))
        return await asyncio.gather(*(one.future for one in awaited))

    def _end_turn(self) -> None:
        endings, self._turn = self._turn, []
        now = self._clock.now()
        turn = []
        for ending in endings:
            try:
                turn.append((ending.settlement(now), ending))
            except Exception as error:  # noqa: BLE001 - it is told
                ending.unsettled(error)
        task = asyncio.ensure_future(self._settle(turn))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, turn: Turn) -> None:
        """Tell each what became of it, as soon as that is known. Uses `turn` up."""
        while turn:
            try:
                settled = await self._ask([settlement for settlement, _ in turn])
            except EngineUnavailableError as error:
                settled = [Settled(status=SettleStatus.FAILED, error=error) for _ in turn]
            except Exception as error:  # noqa: BLE001 - it is told
                if len(turn) > 1:  # one attempt's mistake is not the others': each on its own
                    for one in turn:
                        await self._settle([one])
                else:
                    turn[0][1].unsettled(error)
                return
            turn = _untold(turn, settled)
            if turn:
                await self._pause(turn, settled)

    async def _ask(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        jobs = sum([len(one.others) + (one.finish is not None) for one in settlements])
        self.waiting += jobs
        try:
            return await self._engine.settle(settlements)
        finally:
            self.waiting -= jobs

    async def _pause(self, turn: Turn, settled: Sequence[Settled]) -> None:
        jobs = [finish.lease.job_id for one, _ in turn for finish in one.finishes]
        error = next(one.error for one in settled if one.error is not None and one.error.retryable)
        logger.warning("%s cannot be settled yet: %s", shown(jobs), error)
        await self._clock.sleep(_PAUSE_SECONDS)


class _Awaited:
    """An end that somebody waits for, unless they were cancelled."""

    stopped = False

    def __init__(self, settlement: Callable[[float], Settlement]) -> None:
        self.settlement = settlement
        self.future: asyncio.Future[Settled] = asyncio.get_running_loop().create_future()

    def settled(self, became: Settled) -> None:
        if not self.future.done():
            self.future.set_result(became)

    def unsettled(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _as_it_is(settlement: Settlement, _: float) -> Settlement:
    return settlement


def _untold(turn: Turn, settled: Sequence[Settled]) -> Turn:
    """Tell each what became of it; those of which that is to be seen yet. Uses `turn` up.

    Each is let go of while it is at hand, which takes less time than all of them after that.
    """
    left: Turn = []
    turn.reverse()
    for became, _ in zip(settled, range(len(turn)), strict=True):
        one = turn.pop()
        if not _tell(one[1], became):
            left.append(one)
    return left


def _tell(ending: Ending, became: Settled) -> bool:
    """Tell of it what became of it; False where that is to be seen yet."""
    error: Exception | None = became.error
    if isinstance(error, EngineUnavailableError) and not ending.stopped:
        return False
    try:
        if error is None:
            ending.settled(became)
            return True
    except Exception as mistake:  # noqa: BLE001 - it is told, and is not the others'
        error = mistake
    ending.unsettled(error)
    return True


def shown(jobs: Sequence[str]) -> str:
    """Jobs in a line of the log."""
    more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    return f"job {jobs[0]}{more}"
