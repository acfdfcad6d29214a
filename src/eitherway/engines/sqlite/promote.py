"""Promoting: calls that run become jobs, without a stop."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.promotion import Promotion
from ...engine.stored import to_text
from ...engine.values import Delivery, Lease
from ...job import JobState
from . import idempotency
from .rows import JobRow, to_record
from .transaction import Transaction

_RUNNING = JobState.RUNNING.value


def promote(
    tx: Transaction, calls: Sequence[tuple[str, Sequence[Promotion]]]
) -> list[list[Delivery | None]]:
    """Store the jobs of every call under the lease of its holder."""
    return [[_promote(tx, holder, wish) for wish in promotions] for holder, promotions in calls]


def _promote(tx: Transaction, holder: str, wish: Promotion) -> Delivery | None:
    job = wish.job
    if not all(idempotency.bind(tx, [job])):
        return None
    (seq,) = tx.one("accept_next")
    row = (
        seq,
        job.id,
        job.operation,
        job.version,
        job.created,
        tx.now,
        job.deadline,
        job.due,
        job.attempts_max,
        to_text(job.keys) if job.keys else None,
        wish.started,
        wish.started,
        tx.now + wish.lease_seconds,
        holder,
        job.owner,
        job.traceparent,
        job.tracestate,
        job.callback,
    )
    if not tx.each("promote_job", [row]):
        return None
    message = job.message
    tx.each("accept_special_message", [(seq, message.payload, message.params, message.headers)])
    tx.add_event(seq, 1, _RUNNING, tx.now, job.owner)
    tx.count(job.operation, _RUNNING, None, 1)
    return Delivery(
        lease=Lease(job_id=job.id, token=1, alone=False),
        job=to_record(JobRow(*tx.one("job", id=job.id)), tx.now),
        message=message,
        keys=job.keys,
    )
