"""Items that attempts of this process fight over: re-runs take turns instead of racing again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from ..engine.values import ItemKey


class Contention:
    """One lock per contended item, for as long as somebody needs it."""

    def __init__(self) -> None:
        self._locks: dict[ItemKey, asyncio.Lock] = {}
        self._users: dict[ItemKey, int] = {}

    @asynccontextmanager
    async def turn(self, keys: Iterable[ItemKey]) -> AsyncIterator[None]:
        """Wait until no other re-run in this process holds any of these items."""
        # one order for all, so that two re-runs can never wait for each other
        ordered = sorted(set(keys), key=lambda key: (key.table, key.partition, key.key))
        async with AsyncExitStack() as stack:
            for key in ordered:
                await stack.enter_async_context(self._hold(key))
            yield

    @asynccontextmanager
    async def _hold(self, key: ItemKey) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]
