"""What everything of a stack is called in AWS: derived from its prefix, here alone.

Pure: the builder of stacks and the functions import it, too.
"""

from __future__ import annotations

import re
from hashlib import sha256

LENGTH_MAX = 80
"""The least that any of them may have: of a queue."""

PREFIX = "eitherway"
"""Where a URL names none."""

PREFIX_LENGTH_MAX = 32

APP_PARAMETER = "EitherwayApp"
"""The parameter by which a stack remembers whose it is."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+\Z")
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_DIGEST_LENGTH = 10


def is_prefix(text: str) -> bool:
    """Whether a stack may be called so: 1 to 32 letters, digits and hyphens, a letter first."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,31}", text) is not None


def jobs_table(prefix: str) -> str:
    """The table of records, and of what belongs to a job: message, answer, idempotency key."""
    return f"{prefix}-jobs"


def items_table(prefix: str) -> str:
    """The table of the app's items, of token buckets, limits, counters and pauses."""
    return f"{prefix}-items"


def channels_table(prefix: str) -> str:
    """The table of WebSocket connections: who is to be told of what."""
    return f"{prefix}-channels"


def queues(prefix: str) -> str:
    """How the names of all queues of a stack begin, and of no other: no prefix has a `_`."""
    return f"{prefix}_"


def queue(prefix: str, operation: str, *, alone: bool = False) -> str:
    """The queue of an operation's hints; with `alone` that of its suspects."""
    return _fit(prefix, operation, "-alone" if alone else "")


def dead_queue(prefix: str) -> str:
    """Where hints go that nobody could take; no operation's queue has this name."""
    return f"{queues(prefix)}-dead"


def _fit(prefix: str, name: str, ending: str) -> str:
    plain = f"{queues(prefix)}{name}{ending}"
    is_clear = _PLAIN.match(plain) and not name.startswith("-") and not name.endswith("-alone")
    if is_clear and len(plain) <= LENGTH_MAX:
        return plain
    digest = sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    room = LENGTH_MAX - len(prefix) - len(ending) - _DIGEST_LENGTH - 2
    words = _ODD.sub("-", name)[:room].strip("-")
    return f"{queues(prefix)}{words}-{digest}{ending}"
