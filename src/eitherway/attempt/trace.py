"""W3C Trace Context, as far as a log line needs it: whose trace a request belongs to."""

from __future__ import annotations

import re

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def trace_id(traceparent: str | None) -> str | None:
    """The trace's id; None without a header, or where it is invalid and so to be ignored."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None or (found[1] == "00" and found[3]):  # only later versions may say more
        return None
    return found[2]
