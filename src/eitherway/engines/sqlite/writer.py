"""What writes, and commits in groups: a hundred callers, one fsync.

Whatever callers submit in one turn of the event loop is handed over once, and with it what the next
turns bring; whatever they submit while a group commits, here or in another process, makes the next
group. Calls of one method are done together, so a hundred accepts become one statement. A thread
does them, or the event loop itself where that keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import queue
import signal
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

from ...clock import Clock
from ...engine.contract import Step
from ...engine.waking import Topic
from ...errors import EngineError
from .claimed import Claimed
from .setting import Follower
from .store import Store, engine_error
from .transaction import Handler, Transaction
from .wake import FileWake

GROUP_MAX = 1000
"""Calls of one commit, so that what a crowd submits at once does not make one endless commit."""


_TURNS_MAX = 2
"""Of the loop, that a group waits for more after the first: a commit costs more than a turn does.

What the group leaves behind is worked on while it commits, and two threads that both want the
interpreter cost each other more than either saves.
"""


Call = tuple[str, Any, asyncio.Future[Any]]
"""One submitted call: its name, its arguments, and whom to tell."""


Told = list[tuple[asyncio.Future[Any], Any]]
"""Futures and what they get: a result, or an exception to raise."""


class Writer:
    """Does submitted calls in transactions on a thread of its own, and survives their errors."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        stepped: Collection[str],
        clock: Clock,
        wake: FileWake,
        at_step: Step,
        may_block: Callable[[], bool],
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._stepped = stepped  # the methods whose steps are told
        self._clock = clock
        self._follower = Follower(clock)
        self._wake = wake
        self._at_step = at_step
        self._may_block = may_block
        self._unanswered = 0  # calls, of which none is in the thread if all are in a group here
        self._submitted: list[Call] = []  # in this turn of the loop
        self._handed_over: queue.SimpleQueue[Sequence[Call]] = queue.SimpleQueue()
        self._waiting: deque[Call] = deque()  # the thread's own: what it has been handed
        self._connection: sqlite3.Connection | None = None  # for whoever does a group
        self._claimed = Claimed()
        self._thread = threading.Thread(target=self._run, name="eitherway-sqlite", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._closing = False

    async def open(self) -> None:
        """Start the thread; returns once the database is ready, or raises why it is not."""
        self._thread.start()
        await asyncio.shield(self._opened)

    def submit(self, name: str, arguments: Any) -> asyncio.Future[Any]:
        """Have a call done in the next group; its result comes once that has committed."""
        if self._closing:
            raise EngineError("the engine is closed")
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._submitted:  # the thread is woken once, not for each
            self._loop.call_soon(self._gather, 0, _TURNS_MAX)
        self._submitted.append((name, arguments, future))
        self._unanswered += 1
        return future

    async def close(self) -> None:
        """Finish what was submitted, and end the thread."""
        if not self._closing:
            self._closing = True
            self._hand_over()
            self._handed_over.put(())
        await asyncio.shield(self._ended)
        self._thread.join()  # that was its last act

    def _gather(self, before: int, turns_left: int) -> None:
        """Hand over, once a turn of the loop has brought no more."""
        count = len(self._submitted)
        if count > before and turns_left:
            self._loop.call_soon(self._gather, count, turns_left - 1)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._submitted:
            group, self._submitted = self._submitted, []
            if not self._try_here(group):
                self._handed_over.put(group)

    def _try_here(self, group: list[Call]) -> bool:
        """Do a group on the event loop, and say so, if that may be blocked and nobody else writes.

        Two threads that take turns with one interpreter, each asleep in between, take longer.
        """
        alone = len(group) == self._unanswered <= GROUP_MAX and not self._closing
        if alone and self._may_block() and _ignores_broken_pipes() and self._store.is_free():
            self._do(group, and_more=False)
            return True
        return False

    def _run(self) -> None:
        # A FIFO whose reader has gone must be an error, whatever the program does with SIGPIPE.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        try:
            self._store.prepare()
        except BaseException as error:  # noqa: BLE001 - `open` raises it
            self._call_soon(_resolve, [(self._opened, error), (self._ended, None)])
            return
        self._call_soon(_resolve, [(self._opened, None)])
        try:
            while group := self._pending():
                self._do(group)
        finally:
            self._disconnect()
            self._store.close()
            self._call_soon(_resolve, [(self._ended, None)])

    def _pending(self, room: int = GROUP_MAX, *, wait: bool = True) -> list[Call]:
        """What has been handed over: at least one call, if to be waited for; none at the end."""
        waiting = self._waiting
        with suppress(queue.Empty):
            while len(waiting) < room:
                calls = self._handed_over.get(block=wait and not waiting)
                if not calls:  # the end, which comes after what is waiting
                    if waiting or not wait:
                        self._handed_over.put(())
                    break
                waiting.extend(calls)
        return [waiting.popleft() for _ in range(min(room, len(waiting)))]

    def _do(self, group: list[Call], *, and_more: bool = True) -> None:
        """Do a group in one commit, with what else comes until its turn, and tell its callers."""
        try:
            with self._store.writing():
                if and_more:  # while another process wrote: fewer turns, and each for more
                    group += self._pending(GROUP_MAX - len(group), wait=False)
                told, topics = self._transact(calls := _by_name(group))
        except (sqlite3.OperationalError, OSError) as error:
            self._disconnect()  # a fresh one, in case this one is broken
            self._tell([(future, engine_error(error)) for _, _, future in group])
        except BaseException as error:  # noqa: BLE001 - the caller's future raises it
            if len(group) > 1:  # one caller's mistake is not the others': each on its own
                for call in group:
                    self._do([call], and_more=False)
            elif isinstance(error, sqlite3.Error | OverflowError | UnicodeError):
                self._tell([(group[0][-1], engine_error(error))])
            else:
                self._tell([(group[0][-1], error)])
        else:
            self._publish(calls, told, topics)

    def _transact(self, calls: Mapping[str, Sequence[Call]]) -> tuple[Told, set[Topic]]:
        """Do the calls in one transaction: committed on return, rolled back if this raises."""
        told: Told = []
        if self._connection is None:
            self._connection = self._store.connect_to_write()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            with closing(self._connection.cursor()) as cursor:
                transaction = Transaction(
                    cursor=cursor,
                    now=self._clock.now(),
                    at_step=self._at_step,
                    claimed=self._claimed,
                )
                self._follower.follow(transaction)
                for name, same in calls.items():
                    self._step(name, "begun")
                    arguments = [arguments for _, arguments, _ in same]
                    results = self._handlers[name](transaction, arguments)
                    transaction.write_events()
                    self._step(name, "written")
                    told += zip([future for _, _, future in same], results, strict=True)
                transaction.write_tally()
                transaction.limits.write()
                transaction.buckets.write()
            self._connection.execute("COMMIT")
        except BaseException:
            self._claimed.clear()
            with suppress(sqlite3.Error):  # an error may have ended the transaction already
                self._connection.execute("ROLLBACK")
            raise
        return told, transaction.topics

    def _publish(self, calls: Collection[str], told: Told, topics: Collection[Topic]) -> None:
        """Say that a group has committed."""
        try:
            for name in calls:
                self._step(name, "committed")
            self._wake.notify_peers(topics)
            for name in calls:
                self._step(name, "woken")
        except BaseException as error:  # noqa: BLE001 - a test's, of its own step
            told = [(future, error) for future, _ in told]
        self._tell(told, topics)

    def _step(self, name: str, step: str) -> None:
        if name in self._stepped:
            self._at_step(f"{name}.{step}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._store.disconnect(self._connection)
            self._connection = None

    def _tell(self, told: Told, topics: Collection[Topic] = ()) -> None:
        self._call_soon(self._answer, told, topics)

    def _call_soon(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _answer(self, told: Told, topics: Collection[Topic]) -> None:
        self._unanswered -= len(told)
        _resolve(told)
        self._wake.signal(topics)


def _resolve(told: Told) -> None:
    for future, result in told:
        if future.done():  # its caller was cancelled
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)


def _ignores_broken_pipes() -> bool:
    """Whether a FIFO may be written on the main thread, whose program may want to die of it."""
    return signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN


def _by_name(group: Sequence[Call]) -> dict[str, list[Call]]:
    calls: dict[str, list[Call]] = {}
    for call in group:
        calls.setdefault(call[0], []).append(call)
    return calls
