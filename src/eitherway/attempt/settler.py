"""Settles attempts: those that end in one turn of the event loop, in one call of the engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.values import Settled, Settlement
from ..errors import EngineUnavailableError

logger = logging.getLogger("eitherway.worker")

_PAUSE_SECONDS = 0.5

Turn = Sequence[tuple[Settlement, asyncio.Future[Settled]]]
"""Settlements of one turn, and who waits for what becomes of each."""


class Settler:
    """Gathers settlements. Who is cancelled while it waits has not taken its settlement back."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn: list[tuple[Settlement, asyncio.Future[Settled]]] = []
        self._settling: set[asyncio.Task[None]] = set()  # the event loop itself would let go

    def settle(self, settlement: Settlement) -> asyncio.Future[Settled]:
        """What becomes of it, once it is known; tried again while the engine is away."""
        loop = asyncio.get_running_loop()
        if not self._turn:
            loop.call_soon(self._end_turn)
        future: asyncio.Future[Settled] = loop.create_future()
        self._turn.append((settlement, future))
        return future

    async def settle_all(self, settlements: Sequence[Settlement]) -> Sequence[Settled]:
        """Settle these, again and again while the engine is away: their leases are extended."""
        while True:
            try:
                return await self._engine.settle(settlements)
            except EngineUnavailableError as error:
                jobs = [finish.lease.job_id for one in settlements for finish in one.finishes]
                logger.warning("%s cannot be settled yet: %s", shown(jobs), error)
                await self._clock.sleep(_PAUSE_SECONDS)

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, []
        task = asyncio.ensure_future(self._settle(turn))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, turn: Turn) -> None:
        try:
            settled = await self.settle_all([settlement for settlement, _ in turn])
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            if len(turn) > 1:  # one attempt's mistake is not the others': each on its own
                for one in turn:
                    await self._settle([one])
            elif not turn[0][1].done():
                turn[0][1].set_exception(error)
            return
        for (_, future), became in zip(turn, settled, strict=True):
            if not future.done():  # else it was cancelled
                future.set_result(became)


def shown(jobs: Sequence[str]) -> str:
    """Jobs in a line of the log."""
    more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    return f"job {jobs[0]}{more}"
