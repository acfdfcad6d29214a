"""The shares of limits that this process holds for direct calls, in blocks and under a lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

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
        self._answers: dict[Stock, asyncio.Future[None]] = {}  # of wishes that are under way
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
        await self._share(stocks, Stock.kept)

    async def return_idle(self) -> None:
        """Give back all that no call uses."""
        await self._share(self._stocks.values(), Stock.idle)

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
            for stock, share in await self._share(stocks, lambda stock: stock.wish(now)):
                stock.close(share, now)
        finally:
            for stock in stocks:
                del self._asking[stock]
        if any(stock.is_over for stock in stocks):
            self.tend_soon()

    async def _share(
        self, stocks: Iterable[Stock], wish: Callable[[Stock], ShareWish | None]
    ) -> Sequence[tuple[Stock, Share]]:
        """Put the wishes of stocks to the store, those that have one: each of them, and its answer.

        A stock has one wish under way: a later answer must not be followed by an earlier one.
        """
        asking = list(stocks)
        while under_way := {self._answers[stock] for stock in asking if stock in self._answers}:
            await asyncio.wait(under_way)
        asked_at = self._clock.monotonic()
        wishes = [(stock, one) for stock in asking if (one := wish(stock)) is not None]
        if not wishes:
            return ()
        answered = asyncio.get_running_loop().create_future()
        self._answers.update((stock, answered) for stock, _ in wishes)
        try:
            shares = await self._engine.share([one for _, one in wishes])
        finally:
            for stock, _ in wishes:
                del self._answers[stock]
            answered.set_result(None)
        now = self._clock.monotonic()
        answers = [(stock, share) for (stock, _), share in zip(wishes, shares, strict=True)]
        for stock, share in answers:
            stock.got(share, asked_at, now)
        if self._timer is None:
            self._timer = self._clock.call_later(_TEND_SECONDS, self._on_timer)
        return answers

    def tend_soon(self) -> None:
        """Give back what is to be given back, now."""
        if self._tending is None or self._tending.done():
            self._tending = asyncio.ensure_future(self._tend())

    def _on_timer(self) -> None:
        self._timer = None
        self.tend_soon()

    async def _tend(self) -> None:
        """Give back what was not needed lately, and hold the rest longer."""
        try:
            await self._lower(self._stocks.values())
            # jobs wait: those that hold more than their part come down to it
            await self._lower(stock for stock in self._stocks.values() if stock.is_over)
        except EngineError as error:
            logger.warning("cannot extend shares of limits: %s", error)
        for name, stock in list(self._stocks.items()):
            if not (stock.slots or stock.used or stock.waiting):
                del self._stocks[name]
        if self._stocks and self._timer is None:
            self._timer = self._clock.call_later(_TEND_SECONDS, self._on_timer)

    async def _lower(self, stocks: Iterable[Stock]) -> None:
        now = self._clock.monotonic()
        free = [stock for stock in stocks if stock not in self._answers]  # others ask anyway
        await self._share(free, lambda stock: stock.lowered(now))
