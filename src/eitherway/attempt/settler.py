"""Settles attempts: those that end in one turn of the event loop, in one call of the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.values import Settled, Settlement, SettleStatus
from ..errors import EngineUnavailableError

logger = logging.getLogger("eitherway.worker")

_PAUSE_SECONDS = 0.5

Ending = Callable[[float], Settlement]
"""Says how an attempt that ends at this time is to be settled."""

Turn = Sequence[tuple[Settlement, asyncio.Future[Settled]]]
"""Settlements of one turn, and who waits for what becomes of each."""


class Settler:
    """Gathers settlements. Who is cancelled while it waits has not taken its settlement back."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn: list[tuple[Ending, asyncio.Future[Settled]]] = []
        self._settling: set[asyncio.Task[None]] = set()  # the event loop itself would let go

    def settle(self, ending: Ending) -> asyncio.Future[Settled]:
        """What becomes of an end, once it is known; tried again while the engine is away.

        Attempts that end in one turn of the loop end at one time, the turn's end: engines write
        what is alike at once.
        """
        if self._turn:
            loop = self._turn[0][1].get_loop()  # to ask the system for it is a call of the kernel
        else:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._end_turn)
        future: asyncio.Future[Settled] = loop.create_future()
        self._turn.append((ending, future))
        return future

    async def settle_all(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Settle these, again and again while the engine is away: their leases are extended.

        Raises the first mistake, or what the engine will never do, once all the rest is settled.
        """
        loop = asyncio.get_running_loop()
        turn: Turn = [(settlement, loop.create_future()) for settlement in settlements]
        await self._settle(turn)
        return await asyncio.gather(*(future for _, future in turn))

    def _end_turn(self) -> None:
        endings, self._turn = self._turn, []
        now = self._clock.now()
        turn = []
        for ending, future in endings:
            try:
                turn.append((ending(now), future))
            except Exception as error:  # noqa: BLE001 - whoever waits raises it
                if not future.done():
                    future.set_exception(error)
        task = asyncio.ensure_future(self._settle(turn))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, turn: Turn) -> None:
        """Tell each what became of its settlement, as soon as that is known."""
        while turn:
            try:
                settled = await self._engine.settle([settlement for settlement, _ in turn])
            except EngineUnavailableError as error:
                settled = [Settled(status=SettleStatus.FAILED, error=error) for _ in turn]
            except Exception as error:  # noqa: BLE001 - whoever waits raises it
                if len(turn) > 1:  # one attempt's mistake is not the others': each on its own
                    for one in turn:
                        await self._settle([one])
                else:
                    _raise(turn[0][1], error)
                return
            turn = [
                one for one, became in zip(turn, settled, strict=True) if not _tell(one[1], became)
            ]
            if turn:
                await self._pause(turn, settled)

    async def _pause(self, turn: Turn, settled: Sequence[Settled]) -> None:
        jobs = [finish.lease.job_id for one, _ in turn for finish in one.finishes]
        error = next(one.error for one in settled if one.error is not None and one.error.retryable)
        logger.warning("%s cannot be settled yet: %s", shown(jobs), error)
        await self._clock.sleep(_PAUSE_SECONDS)


def _tell(future: asyncio.Future[Settled], became: Settled) -> bool:
    """Tell who waits what became of it; False where that is to be seen yet."""
    if became.error is not None:
        return _raise(future, became.error)
    if not future.done():  # else it was cancelled
        future.set_result(became)
    return True


def _raise(future: asyncio.Future[Settled], error: Exception) -> bool:
    if isinstance(error, EngineUnavailableError):
        return False
    if not future.done():
        future.set_exception(error)
    return True


def shown(jobs: Sequence[str]) -> str:
    """Jobs in a line of the log."""
    more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    return f"job {jobs[0]}{more}"
