"""What an answer says beside its body: whether to come back, when, and what the problem is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic_core import from_json

from .errors import ProblemError

_PROBLEM = "application/problem+json"


def problem_of(response: httpx.Response) -> ProblemError:
    """The problem, as an error; made up from the status where the answer is none."""
    return ProblemError(response.status_code, _document(response))


def comes_back(response: httpx.Response) -> bool:
    """Whether the same request may be answered otherwise later.

    It may where the server names a time, where a request with the same key is being run, and where
    a proxy found no server. Any other refusal, a job's failure included, stays what it is.
    """
    is_problem = response.headers.get("content-type", "").startswith(_PROBLEM)
    match response.status_code:
        case 409:
            return problem_of(response).name == "idempotency-key-in-use"
        case 429 | 503:
            return "retry-after" in response.headers or not is_problem
        case 502 | 504:
            return not is_problem
    return False


def retry_after_seconds(response: httpx.Response) -> float:
    """`Retry-After` (RFC 9110, section 10.2.3), of either form; 0 where there is none."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _document(response: httpx.Response) -> Mapping[str, Any]:
    if response.headers.get("content-type", "").startswith(_PROBLEM):
        try:
            document = from_json(response.content)
        except ValueError:
            document = None
        if isinstance(document, dict):
            return document
    return {"title": response.reason_phrase or "not an answer of eitherway"}
