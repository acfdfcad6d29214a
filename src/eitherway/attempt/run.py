"""One attempt, from either door: execute, commit, and again after a conflict."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..causes import cause_of, exception_text
from ..clock import Clock
from ..context import Context
from ..ended import Ended
from ..engine.contract import Engine
from ..engine.values import Settled, SettleStatus, Work
from ..errors import EngineError
from ..execute import Executor
from ..job import Attempt, Outcome
from ..operation import Operation
from ..problem import Problem
from ..unit import UnitOfWork
from .adaptive import UNSEEN, Teacher, Watch
from .contention import Contention

logger = logging.getLogger("eitherway.execute")

CONFLICTS_MAX = 20
"""Re-runs after a conflict, until it counts as an error."""

NO_CAPACITY = "a table has no write capacity left for now; nothing was written"

NewContext = Callable[[UnitOfWork], Context]
Commit = Callable[[Ended, Work, tuple[Attempt, ...]], Awaitable[Settled]]
"""Commits how an attempt ended, its work, and the conflicts that came before it."""

_NOTHING = Work()
_SUCCEEDED = Outcome.SUCCEEDED
_DONE = SettleStatus.DONE
_NOT_WITH_WORK = frozenset({SettleStatus.THROTTLED, SettleStatus.FAILED})


@dataclass(slots=True)
class Ran:
    """What one run came to, before anything of it is committed."""

    ended: Ended
    work: Work
    started: float
    watch: Watch


class Runner:
    """Runs attempts and commits them; what committing means is the door's to say.

    An attempt that finds too little write capacity ends throttled, one whose work the engine will
    never take as an error; either commits nothing else.
    """

    def __init__(self, engine: Engine, executor: Executor, clock: Clock, teacher: Teacher) -> None:
        self._engine = engine
        self._teacher = teacher
        self._executor = executor
        self._clock = clock
        self.contention = Contention()

    async def run(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        *,
        new_context: NewContext,
        commit: Commit,
        timeout_seconds: float,
        first_number: int,
    ) -> Ended:
        """Run until it commits, at most `CONFLICTS_MAX` times more.

        Lets through what the engine cannot do for now, or will not do of an end without work.
        """
        ran = await self.once(operation, arguments, new_context, timeout_seconds)
        try:
            settled = await commit(ran.ended, ran.work, ())
        except EngineError as error:
            settled = _never(error)
        if settled.status is _DONE:
            ran.watch.ended(ran.ended)
            return ran.ended
        return await self.go_on(
            ran,
            settled,
            operation,
            arguments,
            new_context=new_context,
            commit=commit,
            timeout_seconds=timeout_seconds,
            first_number=first_number,
        )

    async def once(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        new_context: NewContext,
        timeout_seconds: float,
    ) -> Ran:
        """Run once, and commit nothing."""
        started = self._clock.now()
        unit = UnitOfWork(self._engine)
        context = new_context(unit)
        watch = self._teacher.watching(operation)
        executed = self._executor.execute(operation, arguments, context, unit, timeout_seconds)
        if watch is UNSEEN:  # as most are
            ended = await executed
        else:
            with watch:
                ended = await executed
        work = unit.work() if ended.outcome is _SUCCEEDED else _NOTHING
        return Ran(ended, work, started, watch)

    async def go_on(
        self,
        ran: Ran,
        settled: Settled,
        operation: Operation,
        arguments: Mapping[str, Any],
        *,
        new_context: NewContext,
        commit: Commit,
        timeout_seconds: float,
        first_number: int,
    ) -> Ended:
        """What `run` does once this has become of its first commit."""
        conflicts: tuple[Attempt, ...] = ()
        while True:
            ended = _ended(operation, ran, settled)
            ran.watch.ended(ended)
            if settled.status in _NOT_WITH_WORK:
                settled = await commit(ended, _NOTHING, conflicts)
            if settled.status is SettleStatus.CONFLICT and len(conflicts) == CONFLICTS_MAX:
                ended = too_many_conflicts(operation)
                settled = await commit(ended, _NOTHING, conflicts)
            if settled.status is not SettleStatus.CONFLICT:
                return ended
            conflicts += (self._conflict(first_number + len(conflicts), ran.started),)
            async with self.contention.turn(settled.conflicts):
                ran = await self.once(operation, arguments, new_context, timeout_seconds)
                try:
                    settled = await commit(ran.ended, ran.work, conflicts)
                except EngineError as error:
                    settled = _never(error)

    def _conflict(self, number: int, started: float) -> Attempt:
        return Attempt(
            number=number, outcome=Outcome.CONFLICT, started=started, finished=self._clock.now()
        )


def _never(error: EngineError) -> Settled:
    """What becomes of work that the engine will never take; raises what passes."""
    if error.retryable:
        raise error
    return Settled(status=SettleStatus.FAILED, error=error)


def _ended(operation: Operation, ran: Ran, settled: Settled) -> Ended:
    """How a run ended that this has become of."""
    if settled.status is SettleStatus.THROTTLED:
        return no_capacity(settled)
    return ran.ended if settled.error is None else refused(operation, settled.error)


def refused(operation: Operation, error: EngineError) -> Ended:
    """The end of an attempt whose work the engine will never take."""
    logger.warning("%s: its work cannot be committed: %s", operation.name, error)
    return Ended(
        outcome=Outcome.ERROR,
        problem=Problem.of("internal-error", f"{operation.name} failed"),
        exception=exception_text(error),
        cause=cause_of(error),
        error=error,
    )


def no_capacity(settled: Settled) -> Ended:
    """The end of an attempt whose writes the table had no capacity for."""
    problem = Problem.of("throttled", NO_CAPACITY, retry_after_seconds=settled.wait_seconds)
    return Ended(outcome=Outcome.THROTTLED, problem=problem)


def too_many_conflicts(operation: Operation) -> Ended:
    """The end of an attempt that never came to commit."""
    detail = f"other writers changed the items of {operation.name} {CONFLICTS_MAX} times in a row"
    return Ended(outcome=Outcome.ERROR, problem=Problem.of("internal-error", detail))
