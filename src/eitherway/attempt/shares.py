"""The shares of limits that this process holds for direct calls, in blocks and under a lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ..clock import Clock, Timer
from ..engine.contract import Engine
from ..engine.limits import LimitRule, Share, ShareWish
from ..errors import EngineError
from .stock import Stock

logger = logging.getLogger("eitherway.limits")

_TEND_SECONDS = 1.0


class Shares:
    """Stocks of limits: filled from the store when calls need it, given back when they do not."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._stocks: dict[tuple[str, str], Stock] = {}
        self._asking: dict[Stock, asyncio.Task[None]] = {}
        self._timer: Timer | None = None
        self._tending: asyncio.Task[None] | None = None

    def stock(self, rule: LimitRule, key: str) -> Stock:
        """What is here of a limit, to be used at once: it is forgotten when nothing is in use."""
        stock = self._stocks.get((rule.name, key))
        if stock is None:
            stock = self._stocks[rule.name, key] = Stock(rule, key)
        stock.rule = rule  # its numbers may have changed
        return stock

    async def ask(self, stocks: Sequence[Stock]) -> None:
        """Have the store fill these; once for all calls that wait for one of them."""
        for stock in stocks:
            stock.waiting += 1
        try:
            fresh = [stock for stock in stocks if stock not in self._asking]
            if fresh:
                task = asyncio.ensure_future(self._fill(fresh))
                self._asking.update(dict.fromkeys(fresh, task))
            # shielded: others wait for the same answer
            tasks = {self._asking[stock] for stock in stocks}
            await asyncio.gather(*(asyncio.shield(task) for task in tasks))
        finally:
            for stock in stocks:
                stock.waiting -= 1

    async def keep(self, stocks: Sequence[Stock]) -> None:
        """Hold what is in use, also where that is more than the limit allows."""
        await self._share([(stock, stock.kept()) for stock in stocks])

    async def return_idle(self) -> None:
        """Give back all that no call uses."""
        wishes = [(stock, stock.idle()) for stock in self._stocks.values()]
        await self._share([(stock, wish) for stock, wish in wishes if wish is not None])

    async def close(self) -> None:
        """Give everything back. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._tending is not None:
            self._tending.cancel()
        for stock in self._stocks.values():
            stock.used = 0
        try:
            await self.return_idle()
        except EngineError as error:
            logger.warning("shares of limits are left to their lease: %s", error)
        self._stocks.clear()

    async def _fill(self, stocks: Sequence[Stock]) -> None:
        await asyncio.sleep(0)  # calls that come in the same turn ask together
        try:
            now = self._clock.monotonic()
            shares = await self._share([(stock, stock.wish(now)) for stock in stocks])
            for stock, share in zip(stocks, shares, strict=True):
                stock.close(share, now)
        finally:
            for stock in stocks:
                del self._asking[stock]

    async def _share(self, wishes: Sequence[tuple[Stock, ShareWish]]) -> Sequence[Share]:
        if not wishes:
            return ()
        shares = await self._engine.share([wish for _, wish in wishes])
        now = self._clock.monotonic()
        for (stock, _), share in zip(wishes, shares, strict=True):
            stock.got(share, now)
        if self._timer is None:
            self._timer = self._clock.call_later(_TEND_SECONDS, self._on_timer)
        return shares

    def tend_soon(self) -> None:
        """Give back what is to be given back, now."""
        if self._tending is None or self._tending.done():
            self._tending = asyncio.ensure_future(self._tend())

    def _on_timer(self) -> None:
        self._timer = None
        self.tend_soon()

    async def _tend(self) -> None:
        """Give back what was not needed lately, and hold the rest longer."""
        now = self._clock.monotonic()
        wishes = [(stock, stock.lowered(now)) for stock in self._stocks.values()]
        try:
            await self._share([(stock, wish) for stock, wish in wishes if wish is not None])
        except EngineError as error:
            logger.warning("cannot extend shares of limits: %s", error)
        for name, stock in list(self._stocks.items()):
            if not (stock.slots or stock.used or stock.waiting):
                del self._stocks[name]
        if self._stocks and self._timer is None:
            self._timer = self._clock.call_later(_TEND_SECONDS, self._on_timer)
