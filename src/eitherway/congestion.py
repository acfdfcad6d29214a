"""Does an exception say that a database is at its limit? Told by codes; no driver is imported.

Said of a database that has no room *now*, so that coming back later, and fewer at once, helps:

- SQLite: busy and locked, every kind of them.
- SQLSTATE: class 53 (too many connections, out of memory or disk), 55P03 (a lock not to be had in
  time), 57P03 (starting up, or shutting down). PostgreSQL's refusal of one connection too many has
  a code that its C library does not pass on: that one is known by its words.
- SQLAlchemy's connection pool, when nobody gave a connection back in time.
- DynamoDB and the rest of AWS: the codes of throttling.

Not said: a deadlock or a serialization failure (40P01, 40001), which are two transactions at odds;
a canceled statement (57014), which is mostly one slow query with a time limit and would then never
count as a failure; a lost connection (class 08, 57P01, 57P02), which tells nothing about load.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

_SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLSTATES = ("53", "55P03", "57P03")
_AWS = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)
_NO_SLOT = ("too many clients already", "remaining connection slots are reserved")


def busy(error: BaseException) -> bool:
    """Whether this exception, or one that it came from, is a database saying it is overloaded."""
    return any(_says_busy(each) for each in _origins(error))


def _origins(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it wraps, its causes, and the members of a group."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        context = None if each.__suppress_context__ else each.__context__
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        found = (getattr(each, "orig", None), each.__cause__, context, *members)
        waiting += [origin for origin in found if isinstance(origin, BaseException)]


def _says_busy(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        code: int | None = getattr(error, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _SQLITE  # the low byte: the rest is which kind
    kind = type(error)
    if (kind.__module__, kind.__name__) == ("sqlalchemy.exc", "TimeoutError"):
        return True
    return _sqlstate_is_busy(error) or _aws_code(error) in _AWS or _has_no_slot(error)


def _sqlstate_is_busy(error: BaseException) -> bool:
    for name in ("sqlstate", "pgcode"):
        state = getattr(error, name, None)
        if isinstance(state, str):
            return state.startswith(_SQLSTATES)
    return False


def _has_no_slot(error: BaseException) -> bool:
    """A connection refused for want of a slot: some driver's `OperationalError`, without code."""
    if type(error).__name__ != "OperationalError" or getattr(error, "orig", None) is not None:
        return False
    return any(words in str(error) for words in _NO_SLOT)


def _aws_code(error: BaseException) -> Any:
    response = getattr(error, "response", None)
    found = response.get("Error") if isinstance(response, dict) else None
    return found.get("Code") if isinstance(found, dict) else None
