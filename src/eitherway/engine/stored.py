"""Parts of a record as engines store them, as JSON text, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

from ..job import ATTEMPTS_KEPT, EXCEPTIONS_KEPT, Attempt, Outcome
from ..problem import Answer

NO_ATTEMPTS = "[]"


def append_attempts(stored: str, ended: Sequence[Attempt]) -> str:
    """The ended attempts once these have ended too; the last `ATTEMPTS_KEPT` of them."""
    if not ended:
        return stored
    if stored == NO_ATTEMPTS and len(ended) == 1:
        return f"[{_text(ended[0])}]"
    earlier = [] if stored == NO_ATTEMPTS else from_json(stored)
    for attempt in earlier[: max(0, len(earlier) + len(ended) - EXCEPTIONS_KEPT)]:
        attempt["exception"] = None
    return to_json([*earlier, *ended][-ATTEMPTS_KEPT:]).decode()


def to_attempts(stored: str, running: Attempt | None) -> tuple[Attempt, ...]:
    """The ended attempts, and the one that runs: no claim has to write the whole list for it."""
    ended = () if stored == NO_ATTEMPTS else tuple(map(_attempt, from_json(stored)))
    return ended if running is None else (*ended, running)[-ATTEMPTS_KEPT:]


def to_answer(status: int | None, media_type: str | None, body: bytes | None) -> Answer | None:
    """The answer that was stored in three parts, if there was one."""
    return None if status is None else Answer(status, media_type or "", body or b"")


def to_text(value: Mapping[str, Any] | Sequence[Any] | None) -> str | None:
    """The JSON text of a value; None stays None."""
    return None if value is None else to_json(value).decode()


def from_text(text: str | None) -> Any:
    """The value of a JSON text; None stays None."""
    return None if text is None else from_json(text)


def _text(attempt: Attempt) -> str:
    """An attempt as JSON. Most have no error, and are put together in a tenth of the time."""
    finished, outcome = attempt.finished, attempt.outcome
    if attempt.error is not None or attempt.exception is not None or finished is None:
        return to_json(attempt).decode()
    return (
        f'{{"number":{attempt.number},"outcome":"{outcome}",'
        f'"started":{attempt.started!r},"finished":{finished!r}}}'
    )


def _attempt(values: dict[str, Any]) -> Attempt:
    outcome = values["outcome"]
    return Attempt(**{**values, "outcome": None if outcome is None else Outcome(outcome)})
