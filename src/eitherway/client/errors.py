"""What can go wrong for a caller.

    EitherwayError
    └── ClientError
        ├── ProblemError             the server says no: `status`, and the `problem` document
        │   └── JobFailedError       the job failed; the same, and `job_id` and `kind`
        ├── JobCanceledError         somebody canceled the job
        ├── NoAnswerError            no answer, as long as the client is patient
        └── UnexpectedResultError    there is a result, and it is not what `result=` says

Whoever set a time that is over gets Python's own `TimeoutError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import EitherwayError


class ClientError(EitherwayError):
    """Root of what the client raises."""


class NoAnswerError(ClientError):
    """The server was not reached, or gave no answer; its cause is the last try's own error."""


class UnexpectedResultError(ClientError):
    """The server gave a result that does not fit the type that was asked for."""


class ProblemError(ClientError):
    """The server says no. `status`, and `problem`: its RFC 9457 document, as a mapping."""

    def __init__(self, status: int, problem: Mapping[str, Any], subject: str = "") -> None:
        super().__init__(f"{subject}{status} {_words(problem)}")
        self.status = status
        self.problem = dict(problem)

    @property
    def name(self) -> str:
        """Which problem, by the last part of its `type`: `invalid-input`, `overloaded`."""
        return str(self.problem.get("type", "")).rpartition("/")[2]


class JobFailedError(ProblemError):
    """The job failed: `status` and `problem` as a direct call's; `kind` is the cause."""

    def __init__(self, job_id: str, error: Mapping[str, Any]) -> None:
        problem = {name: value for name, value in error.items() if name != "kind"}
        super().__init__(int(problem.get("status", 500)), problem, f"job {job_id} failed: ")
        self.job_id = job_id
        self.kind: str | None = error.get("kind")


class JobCanceledError(ClientError):
    """The job was canceled, so there is no result."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was canceled")
        self.job_id = job_id


def _words(problem: Mapping[str, Any]) -> str:
    said = [str(problem[member]) for member in ("title", "detail") if problem.get(member)]
    wrong = [f"{one.get('pointer')} {one.get('detail')}" for one in problem.get("errors", ())]
    return ": ".join([*said, *wrong])
