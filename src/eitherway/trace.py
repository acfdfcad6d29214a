"""W3C Trace Context: the trace that a job belongs to, and each attempt's place in it.

Nothing is exported here: `eitherway.spans` says where spans are made, `eitherway.otel` exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from types import TracebackType
from typing import NamedTuple, Self

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_KEY = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}|[a-z][a-z0-9_\-*/]{0,255}"
_MEMBER = re.compile(
    rf"(?:{_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_SAMPLED_AND_RANDOM = 0x03  # the flags that exist (level 2); others are not passed on
_MEMBERS_MAX = 32
_STATE_CHARS_MAX = 512
_LARGE_MEMBER_CHARS = 128  # larger ones go first


class Trace(NamedTuple):
    """A valid trace context: a trace, and the span in it that asked."""

    traceparent: str
    tracestate: str | None = None

    @classmethod
    def of(cls, parents: Sequence[str], states: Sequence[str] = ()) -> Trace | None:
        """What a request's headers say; None where that is invalid, and so to be ignored."""
        found = _TRACEPARENT.fullmatch(parents[0].strip(" \t")) if len(parents) == 1 else None
        if found is None or (found[1] == "00" and found[4]):  # only later versions may say more
            return None
        flags = int(found[3], 16) & _SAMPLED_AND_RANDOM
        return cls(f"00-{found[2]}-{flags:02x}", _state(states))


def starting(job_id: str, traceparent: str | None) -> str:
    """The trace context that a job started in: its caller's, else one made of its own id.

    The same each time, as random as a digest, and no way back: other services are told the trace,
    and whoever knows the id of a job may ask for it.
    """
    if traceparent is not None:
        return traceparent
    digits = blake2b(job_id.encode(), digest_size=24, person=b"eitherway trace").hexdigest()
    return f"00-{digits[:32]}-{digits[32:]}-{_SAMPLED_AND_RANDOM:02x}"


class Calling:
    """A request made to somebody else within a span."""

    trace: Trace | None = None  # what to send along; None: what would be sent anyway

    def answered(self, status: int) -> None:
        """What was answered."""


_CALLING = Calling()


class Span:
    """One attempt (or request) in the trace of its job. Made up only where somebody looks."""

    __slots__ = ("_id", "_job_id", "_new_id", "trace")

    exports = False  # else what is done within it has to know

    def __init__(self, job_id: str, trace: Trace | None, new_id: Callable[[], str]) -> None:
        self.trace = trace  # None: its job starts one
        self._job_id = job_id
        self._new_id = new_id
        self._id: str | None = None

    def __enter__(self) -> Self:
        """What is done within is done in this span, for who exports spans."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None

    def end(self, outcome: str) -> None:
        """It is over, in an outcome of attempts. Idempotent."""

    def abandon(self, outcome: str) -> None:
        """The same, of a run that came to nothing; if it had not begun, it never was."""

    def calling(self, method: str, host: str, port: int) -> AbstractContextManager[Calling]:  # noqa: ARG002 - whoever exports asks for them
        """Around a request to another service."""
        return nullcontext(_CALLING)

    @property
    def id(self) -> str:
        """The span's own id, 16 hexadecimal digits."""
        if self._id is None:
            self._id = self._new_id()
        return self._id

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hexadecimal digits."""
        return self._started[3:35]

    @property
    def traceparent(self) -> str:
        """What a call made within the span sends along."""
        started = self._started
        return f"{started[:36]}{self.id}{started[52:]}"

    @property
    def tracestate(self) -> str | None:
        """What a caller's systems said of the trace, to be sent along."""
        return self.trace.tracestate if self.trace else None

    @property
    def child(self) -> Trace:
        """The context of what is asked for within the span."""
        return Trace(self.traceparent, self.tracestate)

    @property
    def _started(self) -> str:
        return starting(self._job_id, self.trace.traceparent if self.trace else None)


def _state(values: Sequence[str]) -> str | None:
    """The members of all headers in their order; None where there is none, or one is invalid."""
    if not values:
        return None
    listed = [part.strip(" \t") for value in values for part in value.split(",")]
    members = [member for member in listed if member]
    if len(members) > _MEMBERS_MAX or not all(map(_MEMBER.fullmatch, members)):
        return None
    while len(",".join(members)) > _STATE_CHARS_MAX:
        large = [member for member in members if len(member) > _LARGE_MEMBER_CHARS]
        members.remove((large or members)[-1])
    return ",".join(members) or None
