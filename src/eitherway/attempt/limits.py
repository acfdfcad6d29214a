"""Limits at work: what the queue's claims have to hold to, and what direct calls may start.

Jobs count in the store, by their leases: the claim holds the limits. Direct calls count in this
process, against the share of each limit that it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.limits import LimitRule
from ..errors import ConfigurationError
from ..operation import Operation
from ..policy import Limit, burst_of
from .shares import Shares
from .stock import Stock

Taken = Sequence[Stock]
"""What a call counts in until it ends."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """A limit as claims hold to it; and the starts that are kept for calls, where some are."""

    common: LimitRule
    kept: LimitRule | None = None

    @classmethod
    def of(cls, limit: Limit, pace: float | None) -> _Rules:
        """By the limit's own numbers, or the pace that was learnt if that is lower."""
        rates = [rate for rate in (limit.per_second, pace) if rate is not None]
        rate = min(rates) if rates else None
        kept = None
        if rate is not None and limit.direct_share:
            kept_rate = rate * limit.direct_share
            kept = LimitRule(
                name=f"{limit.label}/direct",
                per_second=kept_rate,
                burst=burst_of(kept_rate),
                keyed=limit.key is not None,
            )
            rate -= kept_rate
        common = LimitRule(
            name=limit.label,
            in_flight=limit.in_flight,
            reserved=limit.reserved,
            per_second=rate,
            burst=burst_of(rate),
            keyed=limit.key is not None,
        )
        return cls(common, kept)


class Limiter:
    """The limits of every operation. For one event loop."""

    def __init__(self, operations: Sequence[Operation], engine: Engine, clock: Clock) -> None:
        self._clock = clock
        self._shares = Shares(engine, clock)
        self._changed: asyncio.Future[None] | None = None
        self._limits: dict[str, Limit] = {}
        self._paces: dict[str, float] = {}
        self._labels: dict[str, list[str]] = {}
        for operation in operations:
            for limit in operation.limits:
                _check_same(self._limits.setdefault(limit.label, limit), limit)
            labels = dict.fromkeys(limit.label for limit in operation.limits)
            self._labels[operation.name] = list(labels)
        self._rules: dict[str, list[_Rules]] = {}
        self._claims: dict[str, list[LimitRule]] = {}
        self._renew()

    @property
    def adaptive(self) -> list[Limit]:
        """The limits whose pace is learnt, as they are now."""
        return [limit for limit in self._limits.values() if limit.adaptive]

    def labels(self, operation: Operation) -> Sequence[str]:
        """What the limits of an operation count under."""
        return self._labels[operation.name]

    def rules(self, operation: Operation) -> Sequence[LimitRule]:
        """What a claim of the operation's jobs has to hold to now."""
        return self._claims[operation.name]

    # -- calls -----------------------------------------------------------------------------------

    async def acquire(self, operation: Operation, keys: Mapping[str, str]) -> Taken | None:
        """Start a call, on what is here or after asking the store; None without room.

        What is given belongs to `release`. Engine errors pass.
        """
        newcomer = True
        while True:
            now, stocks = self._clock.monotonic(), self._stocks(operation, keys)
            short = [one for pair in stocks for one in _short(*pair, now, newcomer=newcomer)]
            if not short:
                return _take(stocks, now)
            if any(stock.closed_until > now for stock in short):
                return None
            await self._shares.ask(short)
            newcomer = False

    def release(self, taken: Taken, thread: asyncio.Future[Any] | None = None) -> None:
        """A call has ended; if a plain handler outlives it, once its thread has returned."""
        if thread is None or thread.done():
            for stock in taken:
                stock.give_back()
                if stock.is_over:
                    self._shares.tend_soon()
        else:
            thread.add_done_callback(lambda _: self.release(taken))

    async def keep(
        self, operation: Operation, keys: Mapping[str, str], thread: asyncio.Future[Any]
    ) -> None:
        """Count a plain handler that outlives its job's attempt until its thread has returned."""
        taken = [common for common, _ in self._stocks(operation, keys)]
        for stock in taken:
            stock.take_slot(self._clock.monotonic())
        self.release(taken, thread)
        await self._shares.keep(taken)

    def retry_after_seconds(self, operation: Operation, keys: Mapping[str, str]) -> float:
        """When to send a refused call again."""
        now = self._clock.monotonic()
        stocks = [common for common, _ in self._stocks(operation, keys)]
        return max((stock.closed_until - now for stock in stocks), default=0.0)

    async def return_idle(self) -> None:
        """Give back all that no call uses now."""
        await self._shares.return_idle()

    async def close(self) -> None:
        """Give everything back. Idempotent."""
        await self._shares.close()

    def _stocks(
        self, operation: Operation, keys: Mapping[str, str]
    ) -> list[tuple[Stock, Stock | None]]:
        found = []
        for rules in self._rules[operation.name]:
            key = keys.get(rules.common.name, "") if rules.common.keyed else ""
            kept = None if rules.kept is None else self._shares.stock(rules.kept, key)
            found.append((self._shares.stock(rules.common, key), kept))
        return found

    # -- changing --------------------------------------------------------------------------------

    def adjust(
        self, name: str, *, in_flight: int | None = None, per_second: float | None = None
    ) -> Limit:
        """Change the limit of this name while it is at work; what is not given stays as it is.

        In this process alone. `LookupError` when no operation names it, `ConfigurationError` for
        numbers that a `Limit` refuses.
        """
        limit = self._limits.get(name)
        if limit is None:
            raise LookupError(f"no limit is named {name!r}")
        limit = replace(
            limit,
            in_flight=limit.in_flight if in_flight is None else in_flight,
            per_second=limit.per_second if per_second is None else per_second,
        )
        self._limits[name] = limit
        self._renew()
        return limit

    def learn(self, label: str, per_second: float) -> None:
        """Hold to a pace that was learnt."""
        if self._paces.get(label) != per_second:
            self._paces[label] = per_second
            self._renew()

    def changed(self) -> asyncio.Future[None]:
        """Done at the next change of any limit."""
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    def _renew(self) -> None:
        rules = {
            label: _Rules.of(limit, self._paces.get(label)) for label, limit in self._limits.items()
        }
        for operation, labels in self._labels.items():
            self._rules[operation] = [rules[label] for label in labels]
            self._claims[operation] = [rules[label].common for label in labels]
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


def _short(common: Stock, kept: Stock | None, now: float, *, newcomer: bool) -> list[Stock]:
    """Which of a limit's stocks lack what a call needs; a newcomer is behind those who wait."""
    ahead = common.waiting if newcomer else 0
    if kept is None:
        return [] if common.has_room(now, ahead) else [common]
    starts = common.has_start(now, ahead)
    if not starts:
        starts = kept.has_start(now, kept.waiting if newcomer else 0)
    if not starts:
        return [common, kept]
    return [] if common.has_slot(now, ahead) else [common]


def _take(stocks: Sequence[tuple[Stock, Stock | None]], now: float) -> Taken:
    """Take a place, and a start, out of those that have some."""
    taken = []
    for common, kept in stocks:
        common.take_slot(now)
        if kept is not None and kept.has_start(now):
            kept.take_start()
        elif common.rule.per_second is not None:
            common.take_start()
        taken.append(common)
    return taken


def _check_same(first: Limit, other: Limit) -> None:
    numbers = ("in_flight", "per_second", "adaptive", "direct_share")
    same = all(getattr(first, name) == getattr(other, name) for name in numbers)
    if not same or (first.key is None) != (other.key is None):
        raise ConfigurationError(
            f"two limits are called {other.name!r} and differ: make one Limit and share it"
        )
