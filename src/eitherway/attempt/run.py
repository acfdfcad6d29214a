"""One attempt, from either door: execute, commit, and again after a conflict."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..causes import cause_of, exception_text
from ..clock import Clock
from ..context import Context
from ..engine.contract import Engine
from ..engine.values import ItemKey, Settled, SettleStatus, Work
from ..errors import EngineError
from ..execute import Ended, Executor
from ..job import Attempt, Outcome
from ..operation import Operation
from ..problem import Problem
from ..unit import UnitOfWork
from .adaptive import Teacher
from .contention import Contention

logger = logging.getLogger("eitherway.execute")

CONFLICTS_MAX = 20
"""Re-runs after a conflict, until it counts as an error."""

NO_CAPACITY = "a table has no write capacity left for now; nothing was written"

NewContext = Callable[[UnitOfWork], Context]
Commit = Callable[[Ended, Work, tuple[Attempt, ...]], Awaitable[Settled]]
"""Commits how an attempt ended, its work, and the conflicts that came before it."""

_NOTHING = Work()
_NOT_WITH_WORK = frozenset({SettleStatus.THROTTLED, SettleStatus.FAILED})


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
        conflicts: tuple[Attempt, ...] = ()
        moved: Sequence[ItemKey] = ()
        while True:
            started = self._clock.now()
            with self._teacher.watching(operation) as watch:
                once = (operation, arguments, new_context, commit, timeout_seconds)
                if moved:
                    async with self.contention.turn(moved):
                        ended, settled = await self._once(*once, conflicts=conflicts)
                else:
                    ended, settled = await self._once(*once, conflicts=conflicts)
                watch.ended(ended)
            if settled.status is SettleStatus.DONE:
                return ended
            if settled.status in _NOT_WITH_WORK:
                settled = await commit(ended, _NOTHING, conflicts)
            if settled.status is SettleStatus.CONFLICT and len(conflicts) == CONFLICTS_MAX:
                ended = too_many_conflicts(operation)
                settled = await commit(ended, _NOTHING, conflicts)
            if settled.status is not SettleStatus.CONFLICT:
                return ended
            moved = settled.conflicts
            conflicts += (self._conflict(first_number + len(conflicts), started),)

    async def _once(
        self,
        operation: Operation,
        arguments: Mapping[str, Any],
        new_context: NewContext,
        commit: Commit,
        timeout_seconds: float,
        *,
        conflicts: tuple[Attempt, ...],
    ) -> tuple[Ended, Settled]:
        """Run once and commit: how it ended then, and what became of its commit."""
        unit = UnitOfWork(self._engine)
        context = new_context(unit)
        ended = await self._executor.execute(operation, arguments, context, unit, timeout_seconds)
        work = unit.work() if ended.outcome is Outcome.SUCCEEDED else _NOTHING
        try:
            settled = await commit(ended, work, conflicts)
        except EngineError as error:
            if error.retryable:
                raise
            return refused(operation, error), Settled(status=SettleStatus.FAILED, error=error)
        if settled.status is SettleStatus.THROTTLED:
            ended = no_capacity(settled)
        elif settled.error is not None:
            ended = refused(operation, settled.error)
        return ended, settled

    def _conflict(self, number: int, started: float) -> Attempt:
        return Attempt(
            number=number, outcome=Outcome.CONFLICT, started=started, finished=self._clock.now()
        )


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
