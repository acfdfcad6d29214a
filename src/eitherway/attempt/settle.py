"""What an attempt's end means for its job: pure policy, from `Ended` to `Finish`."""

from __future__ import annotations

from dataclasses import replace

from ..causes import cause_of, exception_text
from ..ended import Ended
from ..engine.values import Delivery, Finish, Overdue
from ..errors import InvalidInputError
from ..ids import Randomness
from ..job import Attempt, FailureKind, JobRecord, JobState, Outcome
from ..operation import Operation
from ..policy import Retry
from ..problem import Problem
from .telling import Telling
from .upgrade import UpgradeError

UNCOUNTED = frozenset({Outcome.THROTTLED, Outcome.INTERRUPTED, Outcome.CONFLICT})
_CAUSES = {  # where no exception says more
    Outcome.ERROR: "too many conflicts",
    Outcome.TIMED_OUT: "timed out",
    Outcome.LEASE_LOST: "the process died",
}
_SUCCEEDED, _JOB_SUCCEEDED = Outcome.SUCCEEDED, JobState.SUCCEEDED
_EXPIRED = "deadline passed"
_INCOMPATIBLE = "input no longer fits"
_UPGRADE_FAILED = "upgrade failed"
_REAPER_RETRY = Retry()  # for jobs whose operation this process does not know


class Judge:
    """Decides where jobs go. `retention_seconds` is how long a finished one is kept."""

    def __init__(self, randomness: Randomness, retention_seconds: float, telling: Telling) -> None:
        self._randomness = randomness
        self._retention_seconds = retention_seconds
        self._telling = telling

    def finish(
        self,
        delivery: Delivery,
        operation: Operation,
        ended: Ended,
        now: float,
        conflicts: tuple[Attempt, ...] = (),
    ) -> Finish:
        """Where a job goes after an attempt here; `conflicts` are its earlier runs."""
        job = delivery.job
        started = conflicts[-1].finished or now if conflicts else job.attempts[-1].started
        last = Attempt(job.starts + len(conflicts), started, now, ended.outcome)
        attempts = (*conflicts, last)
        if ended.outcome is _SUCCEEDED:
            finish = Finish(  # by position: names take three times as long
                delivery.lease,
                _JOB_SUCCEEDED,
                now,
                job.attempt,
                last.number,
                attempts,
                ended.answer,
                now + self._retention_seconds,
            )
        else:
            last.error = ended.problem.document() if ended.problem else None
            last.exception = ended.exception
            finish = self._unsuccessful(delivery, operation, ended, now, attempts)
        return finish if job.callback is None else self._told(job, finish)

    def _unsuccessful(
        self,
        delivery: Delivery,
        operation: Operation,
        ended: Ended,
        now: float,
        attempts: tuple[Attempt, ...],
    ) -> Finish:
        job = delivery.job
        ground = Finish(
            lease=delivery.lease,
            state=JobState.QUEUED,
            at=now,
            attempt=job.attempt - 1 if ended.outcome in UNCOUNTED else job.attempt,
            starts=attempts[-1].number,
            attempts=attempts,
        )
        if ended.outcome is Outcome.REJECTED:
            return self._failed(ground, FailureKind.REJECTED, ended.problem, None)
        if ended.outcome is Outcome.INTERRUPTED:
            return replace(ground, due=now, suspect=delivery.lease.alone)
        return self._again(ground, job, operation.retry, ended, now)

    def _again(
        self, ground: Finish, job: JobRecord, retry: Retry, ended: Ended, now: float
    ) -> Finish:
        counts = ended.outcome not in UNCOUNTED
        if ended.permanent or (counts and ground.attempt >= job.attempts_max):
            cause = ended.cause or _CAUSES.get(ended.outcome, ended.outcome)
            return self._failed(ground, FailureKind.EXHAUSTED, ended.problem, cause)
        delay = ended.delay_seconds
        if delay is None:
            failures = ground.attempt if counts else _trailing(job, ended.outcome) + 1
            delay = retry.delay_seconds(failures, self._randomness.uniform)
        if now + delay >= job.deadline:
            return self._failed(ground, FailureKind.EXPIRED, _expired(), _EXPIRED)
        return replace(ground, state=JobState.RETRYING, due=now + delay)

    def incompatible(
        self, delivery: Delivery, operation: Operation, error: InvalidInputError, now: float
    ) -> Finish:
        """Where a job goes whose stored payload no longer fits its operation: it is not retried."""
        detail = f"the stored input does not fit {operation.name}: {error}"
        raised = error.__cause__ if isinstance(error, UpgradeError) else None
        problem = Problem.of("incompatible", detail)
        attempt = Attempt(
            number=delivery.job.starts,
            outcome=Outcome.ERROR,
            error=problem.document(),
            exception=exception_text(raised) if raised else _places(error),
            started=delivery.job.attempts[-1].started,
            finished=now,
        )
        ground = Finish(
            lease=delivery.lease,
            state=JobState.FAILED,
            at=now,
            attempt=delivery.job.attempt,
            starts=delivery.job.starts,
            attempts=(attempt,),
        )
        cause = f"{_UPGRADE_FAILED}: {cause_of(raised)}" if raised else _INCOMPATIBLE
        failed = self._failed(ground, FailureKind.INCOMPATIBLE, problem, cause)
        return self._told(delivery.job, failed)

    def reaped(self, overdue: Overdue, retry: Retry | None, now: float) -> Finish:
        """Where a job goes whose holder died, or whose deadline passed while it waited.

        A death alone counts as an attempt; one in company makes the job a suspect, uncounted.
        """
        return self._told(overdue.job, self._reaped(overdue, retry, now))

    def _reaped(self, overdue: Overdue, retry: Retry | None, now: float) -> Finish:
        job = overdue.job
        ground = Finish(
            lease=overdue.lease,
            state=JobState.QUEUED,
            at=now,
            attempt=job.attempt,
            starts=job.starts,
            attempts=(),
        )
        if job.state is not JobState.RUNNING:
            return self._failed(ground, FailureKind.EXPIRED, _expired(), _EXPIRED)
        problem = Problem.of("crashed", "the process died, or lost its lease, while it ran the job")
        ended = Ended(outcome=Outcome.LEASE_LOST, problem=problem)
        last = replace(
            job.attempts[-1], outcome=ended.outcome, error=problem.document(), finished=now
        )
        ground = replace(ground, attempts=(last,), suspect=True)
        if overdue.lost_alone:
            return self._again(ground, job, retry or _REAPER_RETRY, ended, now)
        ground = replace(ground, attempt=job.attempt - 1)
        if now >= job.deadline:
            return self._failed(ground, FailureKind.EXPIRED, _expired(), _EXPIRED)
        return replace(ground, due=now)

    def _told(self, job: JobRecord, finish: Finish) -> Finish:
        """The same, and where it is the job's end, with what tells of it."""
        if not finish.state.done or job.callback is None:
            return finish
        return replace(finish, jobs=self._telling.jobs(job, finish.at))

    def _failed(
        self, ground: Finish, kind: FailureKind, problem: Problem | None, cause: str | None
    ) -> Finish:
        kept = kind is not FailureKind.REJECTED  # a dead letter stays until somebody purges it
        return replace(
            ground,
            state=JobState.FAILED,
            kind=kind,
            cause=cause,
            error=problem.document() if problem else None,
            expires=None if kept else ground.at + self._retention_seconds,
            suspect=False,
        )


def _places(error: InvalidInputError) -> str:
    """What does not fit and where, for operators."""
    places = (f"{place['pointer'] or '/'}: {place['detail']}" for place in error.errors)
    return "\n".join((f"{type(error).__name__}: {error}", *places))


def _expired() -> Problem:
    return Problem.of("expired", "the job did not succeed by its deadline")


def _trailing(job: JobRecord, outcome: Outcome) -> int:
    """How many of the last ended attempts ended like this, in a row."""
    ended = [attempt for attempt in job.attempts if attempt.outcome is not None]
    count = 0
    for attempt in reversed(ended):
        if attempt.outcome is not outcome:
            break
        count += 1
    return count
