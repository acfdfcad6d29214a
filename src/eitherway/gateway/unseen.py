"""Jobs without a record: a queue has accepted them, and tells nobody until a worker takes them.

Their receipt's links say when that was (`?accepted=`), so that an id that was never given can be
told from one that waits: for as long as a queue keeps messages, it is believed.
"""

from __future__ import annotations

from pydantic_core import to_json

from ..attempt.runtime import Runtime
from .documents import rfc3339
from .routes import Request
from .wire import query

_MILLISECONDS_FROM = 1e11
_SKEW_SECONDS = 60.0  # by which the clocks of two machines may differ


def accepted_at(request: Request, runtime: Runtime) -> float | None:
    """When the job that nobody knows was accepted; None where there can be no such job."""
    longest = runtime.engine.capabilities.unrecorded_seconds
    text = query(request.scope).get("accepted", "")
    if not (longest and request.owner is None and text.isascii() and text.isdigit()):
        return None
    accepted = float(text[:20])
    if accepted >= _MILLISECONDS_FROM:
        accepted /= 1000  # so API Gateway tells the time
    age = runtime.clock.now() - accepted
    return accepted if -_SKEW_SECONDS <= age <= longest else None


def unseen_document(job_id: str, accepted: float, durability: str, jobs_url: str) -> bytes:
    """What is known of it."""
    url, asked = f"{jobs_url}/{job_id}", f"?accepted={accepted * 1000:.0f}"
    document = {
        "id": job_id,
        "status": "queued",
        "done": False,
        "created": rfc3339(accepted),
        "attempt": 0,
        "attempts": [],
        "durability": durability,
        "recorded": False,
        "links": {
            "self": url + asked,
            "result": f"{url}/result{asked}",
            "cancel": url,
            "events": f"{url}/events{asked}",
        },
    }
    return to_json(document)
