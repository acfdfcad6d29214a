"""The gateway's own paths in OpenAPI: jobs, their events, health. Not `/admin`: see ADR 0017."""

from __future__ import annotations

from typing import Any

from .answers import answer, problems
from .calls import PREFER
from .schemas import own

Document = dict[str, Any]

_NAME = {"type": "string", "minLength": 1}
_ID: Document = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "the job's id",
    "schema": _NAME,
}
_AFTER: Document = {
    "name": "after",
    "in": "query",
    "description": "the cursor of an event: only what came after it",
    "schema": {"type": "string"},
}
_LAST_EVENT_ID: Document = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the same, as browsers send it that come back",
    "schema": {"type": "string"},
}
_SEEN: Document = {
    "name": "If-None-Match",
    "in": "header",
    "description": "ETags that were seen: 304 while one of them is still that of the job",
    "schema": {"type": "string"},
}
_JOBS: Document = {
    "name": "jobs",
    "in": "query",
    "required": True,
    "description": "ids of jobs, with commas",
    "schema": _NAME,
}
_CACHING = ("ETag", "Cache-Control", "Vary")


def own_paths(prefix: str) -> Document:
    """The Paths Object of what the gateway serves by itself."""
    return {
        f"{prefix}/jobs/{{id}}": {"get": _show(), "delete": _cancel()},
        f"{prefix}/jobs/{{id}}/result": {"get": _result()},
        f"{prefix}/jobs/{{id}}/events": {"get": _events("jobs.events", "A job's events", _ID)},
        f"{prefix}/events": {"get": _events("events.follow", "Events of several jobs", _JOBS)},
        f"{prefix}/livez": {"get": _health("health.livez", "Whether the process runs")},
        f"{prefix}/readyz": {"get": _health("health.readyz", "Whether it makes progress", 503)},
        f"{prefix}/metrics": {"get": _metrics()},
    }


def _show() -> Document:
    shown = answer("The job", own("Job"), *_CACHING, "Retry-After", "Preference-Applied")
    same = answer(
        "Its ETag is still one of those", None, *_CACHING, "Retry-After", "Preference-Applied"
    )
    return {
        **_operation("jobs.show", "jobs", "A job as it is now"),
        "description": "With `Prefer: wait=n`, as soon as it has ended or its ETag has moved.",
        "parameters": [_ID, PREFER, _SEEN],
        "responses": {"200": shown, "304": same, **problems(404, 405, 410, 500, 503)},
    }


def _cancel() -> Document:
    canceled = answer("The job has been canceled", own("Job"), *_CACHING)
    hidden = answer("It had ended, and is not shown any more", None)
    return {
        **_operation("jobs.cancel", "jobs", "End a job"),
        "parameters": [_ID],
        "responses": {"200": canceled, "204": hidden, **problems(404, 405, 410, 500, 503)},
    }


def _result() -> Document:
    direct = answer("The direct call's answer, with its own status", {}, "Cache-Control")
    return {
        **_operation("jobs.result", "jobs", "What the direct call would have answered"),
        "parameters": [_ID],
        "responses": {"2XX": direct, **problems(404, 405, 410, 500, 503, 504, others=True)},
    }


def _events(name: str, summary: str, jobs: Document) -> Document:
    stream = answer(
        "CloudEvents, as they happen",
        {"type": "string"},
        "Cache-Control",
        media_type="text/event-stream",
    )
    over = answer("There is nothing more to come", None)
    return {
        **_operation(name, "events", summary),
        "description": "Server-Sent Events until the jobs have ended; the `data` of each is an "
        "`eitherway.Event`.",
        "parameters": [jobs, _AFTER, _LAST_EVENT_ID],
        "responses": {"200": stream, "204": over, **problems(400, 404, 405, 500, 503)},
    }


def _health(name: str, summary: str, *statuses: int) -> Document:
    status = {
        "type": "object",
        "properties": {"status": {"type": "string"}},
        "required": ["status"],
    }
    healthy = answer("Yes", status, "Cache-Control")
    return {
        **_operation(name, "health", summary),
        "security": [],  # who watches a process needs no credential
        "responses": {"200": healthy, **problems(405, *statuses)},
    }


def _metrics() -> Document:
    figures = answer(
        "Figures", {"type": "string"}, "Cache-Control", "Vary", media_type="text/plain"
    )
    content = figures["content"]
    content["application/openmetrics-text"] = content["text/plain"]
    return {
        **_operation("health.metrics", "health", "Figures for Prometheus"),
        "security": [],
        "responses": {"200": figures, **problems(405, 500, 503)},
    }


def _operation(name: str, tag: str, summary: str) -> Document:
    return {"operationId": name, "tags": [tag], "summary": summary}
