"""Redrive: dead letters sent again, at a rate, behind a canary, with a budget of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..clock import Clock
from ..engine.contract import Engine
from ..engine.values import Message, Redrive
from ..errors import InvalidInputError
from ..job import FailureKind, JobRecord, JobState
from ..registry import Operations
from .dead import Selection, letters
from .watch import Watcher

CANARY_SECONDS = 60.0
_BATCH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Redriven:
    """What a redrive did. `left` are the ids asked for that were no dead letters (any more)."""

    redriven: int
    matched: int
    left: Sequence[str] = ()
    canary: JobRecord | None = None  # as it was when the waiting ended
    stopped: bool = False  # the canary did not succeed: the others are as they were


@dataclass(frozen=True, slots=True)
class _Letter:
    """What a redrive needs of a record; selections may be long, and records large."""

    id: str
    attempts: int
    deadline_seconds: float


class Redriver:
    """Sends dead letters again. `operations` are the app's, None where it is not known."""

    def __init__(
        self, engine: Engine, clock: Clock, watcher: Watcher, operations: Operations | None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._watcher = watcher
        self._operations = operations

    async def redrive(
        self,
        selection: Selection,
        *,
        per_second: float | None,
        canary: bool,
        canary_seconds: float = CANARY_SECONDS,
    ) -> Redriven:
        """Send them again, the oldest job first. With `canary`: one, and the rest if it succeeds.

        The canary gets a single attempt, so that its answer comes soon.
        """
        if per_second is not None and per_second <= 0:
            raise InvalidInputError("a rate is above 0 per second")
        found, left = await self._select(selection)
        self._check_delay(len(found), per_second)
        record: JobRecord | None = None
        rest = found
        if canary and found:
            first, rest = found[0], found[1:]
            record = await self._try(first, canary_seconds)
            if record is None:
                left.append(first.id)
            elif record.state is not JobState.SUCCEEDED:
                return Redriven(
                    redriven=1, matched=len(found), left=left, canary=record, stopped=True
                )
        sent = await self._send_all(rest, per_second, left)
        return Redriven(
            redriven=sent + (record is not None), matched=len(found), left=left, canary=record
        )

    async def send_edited(self, record: JobRecord, message: Message) -> bool:
        """Send one again with another message. False where it is no dead letter (any more)."""
        now = self._clock.now()
        (sent,) = await self._engine.redrive([self._wish(self._of(record), now, now, message)])
        return sent

    async def _select(self, selection: Selection) -> tuple[list[_Letter], list[str]]:
        if selection.ids is None:
            found = [self._of(letter) async for letter in letters(self._engine, selection.filter())]
            return found[::-1], []
        chosen: list[_Letter] = []
        left: list[str] = []
        ids = list(dict.fromkeys(selection.ids))
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            for job_id, record in zip(batch, await self._engine.get(batch), strict=True):
                if record is None or not is_dead(record):
                    left.append(job_id)
                else:
                    chosen.append(self._of(record))
        return chosen, left

    async def _try(self, letter: _Letter, seconds: float) -> JobRecord | None:
        now = self._clock.now()
        one_attempt = _Letter(letter.id, 1, letter.deadline_seconds)
        (sent,) = await self._engine.redrive([self._wish(one_attempt, now, now)])
        if not sent:
            return None
        return await self._watcher.wait(letter.id, lambda record: record.done, seconds)

    async def _send_all(
        self, chosen: Sequence[_Letter], per_second: float | None, left: list[str]
    ) -> int:
        now = self._clock.now()
        sent = 0
        for start in range(0, len(chosen), _BATCH):
            batch = chosen[start : start + _BATCH]
            wishes = [
                self._wish(letter, now, now + (place / per_second if per_second else 0.0))
                for place, letter in enumerate(batch, start)
            ]
            for letter, done in zip(batch, await self._engine.redrive(wishes), strict=True):
                if done:
                    sent += 1
                else:
                    left.append(letter.id)
        return sent

    def _of(self, record: JobRecord) -> _Letter:
        """A fresh budget and deadline: the operation's, else those that the record had."""
        operation = self._operations.named(record.operation) if self._operations else None
        if operation is None:
            return _Letter(record.id, record.attempts_max, record.deadline - record.created)
        return _Letter(record.id, operation.retry.attempts, operation.deadline_seconds)

    def _wish(
        self, letter: _Letter, now: float, due: float, message: Message | None = None
    ) -> Redrive:
        return Redrive(
            job_id=letter.id,
            at=now,
            due=due,
            deadline=due + letter.deadline_seconds,
            attempts=letter.attempts,
            message=message,
        )

    def _check_delay(self, count: int, per_second: float | None) -> None:
        longest = self._engine.capabilities.delay_seconds_max
        if per_second is not None and count / per_second > longest:
            raise InvalidInputError(
                f"{count} jobs at {per_second:g} a second take {count / per_second:.0f} s, and "
                f"this engine delays a job by {longest:g} s at most: choose fewer, or a higher rate"
            )


def is_dead(record: JobRecord) -> bool:
    """Whether a job is a dead letter: failed, and not by its own handler's answer."""
    return record.state is JobState.FAILED and record.kind is not FailureKind.REJECTED
