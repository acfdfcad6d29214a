"""Limits that hold over all processes: drawn before jobs are taken, released as attempts end."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Iterable, Sequence

from ...engine.limits import Lesson, LimitUse, Share, ShareWish
from ...engine.values import Demand, Lease
from ...engine.waking import Topic, Wake
from ...errors import EitherwayError
from . import pauses
from .blocks import FRESH_SECONDS, Block
from .limit_use import PLACE, Use, to_key, to_use
from .rows import Row
from .store import Store, gathered

logger = logging.getLogger("eitherway.engine")

GIVE_BACK_SECONDS = 1.0
"""What an attempt has left is kept so long for the next one, in real time."""


class Limits:
    """What this process holds of limits."""

    def __init__(self, store: Store, wake: Wake) -> None:
        self._store = store
        self._wake = wake
        self._blocks: dict[str, Block] = {}
        self._places: dict[str, dict[int, tuple[str, ...]]] = {}  # by job and token: its limits
        self._paused: frozenset[str] = frozenset()
        self._paused_at = -math.inf
        self._paused_anew = 0  # how often it was changed here
        self._keeper: asyncio.Task[None] | None = None

    async def able(self, demands: Sequence[Demand]) -> tuple[list[Demand], float]:
        """Those that may start something now: neither paused nor without room in a limit.

        And after how many seconds to ask again for the others, which other processes may free.
        """
        await self._refresh(rule.name for demand in demands for rule in demand.limits)
        able, wait_seconds = [], math.inf
        for demand in demands:
            seconds = FRESH_SECONDS
            if demand.operation not in self._paused:
                rules = demand.limits
                seconds = max((self._block(r.name).seconds_to_room(r) for r in rules), default=0.0)
            if seconds <= 0:
                able.append(demand)
            else:
                wait_seconds = min(wait_seconds, seconds, FRESH_SECONDS)
        return able, wait_seconds

    async def draw(self, demand: Demand) -> int:
        """How many attempts may start now, `demand.count` at most: these count from now on.

        None where the operation is paused.
        """
        await self._refresh(())
        if demand.operation in self._paused:
            return 0
        granted = demand.count
        drawn: list[Block] = []
        for rule in demand.limits:
            block = self._block(rule.name)
            try:
                able = await block.take(rule, granted, demand.lease_seconds)
            except BaseException:
                self._leave(drawn, granted, unstarted=True)
                raise
            self._leave(drawn, granted - able, unstarted=True)
            drawn.append(block)
            granted = able
            if not granted:
                break
        self._stir()
        return granted

    async def give_back(self, demand: Demand, count: int) -> None:
        """So many of those that were drawn have not started."""
        self._leave((self._block(rule.name) for rule in demand.limits), count, unstarted=True)

    def started(self, row: Row) -> None:
        """The attempt of this row, which counts against `row.uses`, is one of those drawn."""
        if row.uses:
            self._places.setdefault(row.id, {})[row.token] = row.uses

    async def release(self, *rows: Row) -> None:
        """The attempts of these rows are over.

        What counts in another process's block does so until that process knows, or is dead.
        """
        for row in rows:
            tokens = self._places.get(row.id, {})
            self._end(row.id, max((token for token in tokens if token <= row.token), default=0))

    def forget(self, lease: Lease) -> None:
        """The lease is lost: its attempt counts no more, whoever has the job now."""
        self._end(lease.job_id, lease.token)

    async def hold(self, lease_seconds: float) -> None:
        """Leases are about to be extended: hold their places as long."""
        until = self._store.now() + lease_seconds
        await gathered(block.hold_until(until) for block in self._blocks.values())

    async def share(self, wishes: Sequence[ShareWish]) -> list[Share]:
        """Hold slots for calls, and draw starts."""
        return [await self._share(wish) for wish in wishes]

    async def uses(self, names: Sequence[str] | None) -> list[LimitUse]:
        """What is in use of these limits, or of all that were ever used."""
        if names is None:
            images = await self._store.partition(PLACE)
            found = {image["key"]["S"]: to_use(image) for image in images}
            return [self._block(name).told(use) for name, use in found.items()]
        uses = await self._read(names)
        return [self._block(name).told(use) for name, use in zip(names, uses, strict=True)]

    async def learn(self, lessons: Sequence[Lesson]) -> list[bool]:
        """Store what was learnt; False where it has moved."""
        return [await self._learn(lesson) for lesson in lessons]

    def look_again(self) -> None:
        """Operations were paused, or resumed, by this process."""
        self._paused_at = -math.inf
        self._paused_anew += 1

    async def rest(self) -> None:
        """Give back at once what is not used: this process may be frozen, as functions are."""
        await gathered(block.give_back() for block in self._blocks.values())

    async def close(self) -> None:
        """Give back all but what attempts have that run still."""
        if self._keeper is not None:
            self._keeper.cancel()
        for block in self._blocks.values():
            await _forgiving(block.give_back(at_close=True), block)

    async def _share(self, wish: ShareWish) -> Share:
        name, now = self._store.name, self._store.now()

        def share(use: Use) -> tuple[tuple[Share, bool], bool]:
            held, wanted = use.part(name).held, use.calls_want
            share = use.share(wish, name, now)
            is_freed = share.slots < held or wish.unused > 0
            is_moved = share.slots or held or share.starts or wish.unused
            return (share, is_freed), bool(is_moved) or wanted != use.calls_want

        result, is_freed = await self._block(wish.limit.name).change(share, wish.limit)
        if is_freed:
            self._wake.signal([Topic.WORK])
        return result

    async def _learn(self, lesson: Lesson) -> bool:
        def learn(use: Use) -> tuple[bool, bool]:
            if use.learned != lesson.seen:
                return False, False
            use.learned = lesson.learned
            return True, True

        return await self._block(lesson.limit).change(learn)

    async def _refresh(self, names: Iterable[str]) -> None:
        """Read what is not fresh of what is paused, and of these limits: one request."""
        stale = [name for name in dict.fromkeys(names) if not self._block(name).is_fresh]
        now = self._store.now()
        is_known = 0 <= now - self._paused_at < FRESH_SECONDS
        keys = [*([] if is_known else [pauses.KEY]), *(to_key(name) for name in stale)]
        if not keys:
            return
        seen = self._paused_anew
        images = await self._store.get(self._store.items, keys)
        if not is_known:
            self._paused = pauses.paused_in(images[0])
            # changed while it was read: it may have been read before
            self._paused_at = now if seen == self._paused_anew else -math.inf
        for name, image in zip(stale, images[len(keys) - len(stale) :], strict=True):
            self._block(name).refresh(to_use(image))

    async def _read(self, names: Sequence[str]) -> list[Use]:
        images = await self._store.get(self._store.items, [to_key(name) for name in names])
        return [to_use(image) for image in images]

    def _block(self, name: str) -> Block:
        block = self._blocks.get(name)
        if block is None:
            block = self._blocks[name] = Block(self._store, name)
        return block

    def _end(self, job_id: str, token: int) -> None:
        tokens = self._places.get(job_id, {})
        names = tokens.pop(token, ())
        if not tokens:
            self._places.pop(job_id, None)
        self._leave((self._block(name) for name in names), 1)

    def _leave(self, blocks: Iterable[Block], count: int, *, unstarted: bool = False) -> None:
        if count <= 0:
            return
        left = list(blocks)
        for block in left:
            block.leave(count, unstarted=unstarted)
        if any(block.full for block in left):
            for block in left:
                block.full = False
            self._wake.signal([Topic.WORK])
        if left:
            self._stir()

    def _stir(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while not all(block.is_clean for block in self._blocks.values()):
            # Real time, whatever the engine's clock says: it is the others' patience.
            await asyncio.sleep(GIVE_BACK_SECONDS)
            for block in list(self._blocks.values()):
                await _forgiving(block.give_back(), block)


async def _forgiving(giving: Awaitable[None], block: Block) -> None:
    """What is not given back lapses."""
    try:
        await giving
    except EitherwayError as error:
        logger.warning("limit %s: what is not used comes back later: %s", block.name, error)
