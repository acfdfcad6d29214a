"""What an attempt died of, for operators: a traceback, and the cause that dead letters share."""

from __future__ import annotations

import re
import traceback

_TRACEBACK_CHARS_MAX = 10_000
CAUSE_CHARS_MAX = 200
_VARYING = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}  # a UUID
    | \b 0x [0-9a-f]+
    | (?<![0-9a-z]) (?= [a-z]*[0-9] ) (?: [0-9a-f]{4,} | [0-9a-z]{16,} ) (?![0-9a-z])  # an id
    | [0-9]+ (?: [.,:-] [0-9]+ )*  # a number, a date, a time, an address
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What differs between messages about the same mistake."""


def exception_text(error: BaseException) -> str:
    """The traceback, for operators; its end, where it is long."""
    return "".join(traceback.format_exception(error))[-_TRACEBACK_CHARS_MAX:]


def cause_of(error: BaseException) -> str:
    """The exception's type and message, without what differs from one order to the next."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - it is the handler's, and may do anything
        message = ""
    name, told = type(error).__name__, pattern(message)
    return (f"{name}: {told}" if told else name)[:CAUSE_CHARS_MAX]


def pattern(message: str) -> str:
    """The first line, its numbers and ids replaced by `#`."""
    first = message.strip().partition("\n")[0].rstrip()
    return _VARYING.sub("#", first[: 5 * CAUSE_CHARS_MAX])
