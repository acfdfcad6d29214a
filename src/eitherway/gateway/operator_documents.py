"""What operators see: jobs with their inside, groups of dead letters, statistics."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from ..attempt.dead import DeadGroup, DeadGroups
from ..attempt.operators import Inside
from ..attempt.pace import learned_pace
from ..attempt.redrive import Redriven
from ..codec import decode_mapping
from ..engine.capabilities import Durability
from ..engine.limits import LimitUse
from ..engine.listing import JobPage
from ..engine.values import OperationStatistics
from ..job import WAITING, JobRecord, JobState
from .documents import job_document, rfc3339


def inside_document(inside: Inside, durability: Durability, jobs_url: str) -> dict[str, Any]:
    """The job document, and what callers are not shown: the message, the exceptions, the cause."""
    record, message = inside.job, inside.message
    document: dict[str, Any] = from_json(job_document(record, durability, jobs_url))
    for attempt, shown in zip(record.attempts, document["attempts"], strict=True):
        shown["exception"] = attempt.exception
    document["due"] = rfc3339(record.due)
    document["version"] = record.version
    document["starts"] = record.starts
    document["suspect"] = record.suspect
    document["hidden"] = record.hidden
    document["kind"] = record.kind
    document["cause"] = record.cause
    document["owner"] = record.owner
    document["payload"] = _json_or_text(message.payload)
    document["params"] = decode_mapping(message.params)
    document["headers"] = decode_mapping(message.headers)
    return document


def page_document(page: JobPage) -> dict[str, Any]:
    """A page of jobs, each without its result and its attempts."""
    return {"jobs": [_summary(record) for record in page.jobs], "cursor": page.cursor}


def groups_document(dead: DeadGroups) -> dict[str, Any]:
    """Groups of dead letters."""
    return {"groups": [_group(group) for group in dead.groups], "complete": dead.complete}


def redriven_document(done: Redriven) -> dict[str, Any]:
    """What a redrive did."""
    canary = done.canary
    return {
        "redriven": done.redriven,
        "matched": done.matched,
        "left": list(done.left),
        "stopped": done.stopped,
        "canary": None if canary is None else {"id": canary.id, "status": canary.state},
    }


def statistics_document(one: OperationStatistics, now: float) -> dict[str, Any]:
    """Where an operation's jobs are."""
    return {
        "operation": one.operation,
        "counts": {state.value: one.counts.get(state, 0) for state in JobState},
        "waiting": waiting(one),
        "dead": one.dead,
        "oldest_due": rfc3339(one.oldest_due),
        "oldest_seconds": oldest_seconds(one, now),
        "paused": one.paused,
    }


def limit_document(use: LimitUse) -> dict[str, Any]:
    """What is in use of a limit, and the pace that was learnt of it."""
    return {
        "limit": use.name,
        "running": use.running,
        "held": use.held,
        "started": use.started,
        "learned_per_second": learned_pace(use.learned),
    }


def waiting(one: OperationStatistics) -> int:
    """How many jobs wait to be run."""
    return sum(one.counts.get(state, 0) for state in WAITING)


def oldest_seconds(one: OperationStatistics, now: float) -> float | None:
    """For how long the oldest waiting job could have run; None where none could."""
    if one.oldest_due is None or one.oldest_due > now:
        return None
    return round(now - one.oldest_due, 3)


def _summary(record: JobRecord) -> dict[str, Any]:
    error = record.error or {}
    return {
        "id": record.id,
        "operation": record.operation,
        "status": record.state,
        "created": rfc3339(record.created),
        "updated": rfc3339(record.updated),
        "due": rfc3339(record.due),
        "finished": rfc3339(record.finished),
        "deadline": rfc3339(record.deadline),
        "attempt": record.attempt,
        "attempts_max": record.attempts_max,
        "kind": record.kind,
        "cause": record.cause,
        "owner": record.owner,
        "detail": error.get("detail") or error.get("title"),
    }


def _group(group: DeadGroup) -> dict[str, Any]:
    return {
        "operation": group.operation,
        "kind": group.kind,
        "cause": group.cause,
        "count": group.count,
        "oldest": rfc3339(group.oldest),
        "newest": rfc3339(group.newest),
        "sample": group.sample,
    }


def _json_or_text(payload: bytes) -> Any:
    if not payload:
        return None
    try:
        return from_json(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
