"""What a handler raises on purpose: an answer, or a wish about its next attempt.

They are control flow, not errors, and share no base with `errors.EitherwayError`.
"""

from __future__ import annotations


class Reject(Exception):  # noqa: N818 - a signal, not an error
    """Answer the caller with a problem of this status: no retry, no dead letter."""

    def __init__(self, detail: str, status: int = 422) -> None:
        if not 400 <= status <= 499:
            raise ValueError(f"Reject takes a 4xx status, not {status}")
        super().__init__(detail)
        self.detail = detail
        self.status = status


class NotFound(Reject):
    """Answer 404: what was asked for does not exist."""

    def __init__(self, detail: str = "not found") -> None:
        super().__init__(detail, status=404)


class Conflict(Reject):
    """Answer 409: the item's state forbids the write (`if_absent`, `if_version`)."""

    def __init__(self, detail: str = "conflict") -> None:
        super().__init__(detail, status=409)


class RetryLater(Exception):  # noqa: N818 - a signal, not an error
    """Try again after `seconds`; the attempt counts. A direct caller gets a 503."""

    def __init__(self, seconds: float, detail: str = "try again later") -> None:
        if seconds < 0:
            raise ValueError("RetryLater takes seconds >= 0")
        super().__init__(detail)
        self.seconds = seconds
        self.detail = detail


class Throttled(Exception):  # noqa: N818 - a signal, not an error
    """The database is at its limit: try again, more slowly; the attempt does not count."""

    def __init__(self, detail: str = "the database is at its limit") -> None:
        super().__init__(detail)
        self.detail = detail
