"""`Prefer` and `Preference-Applied` (RFC 7240): how a client wants to be answered.

Preferences are wishes: one that is unknown, malformed, or cannot be served is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .routes import Request
from .wire import Header

VARY: Header = (b"vary", b"Prefer")
"""Of every answer that could have been another one with another preference."""

# Possessive throughout (`++`, `*+`): so that no header makes the search go back and forth.
_SPACE = r"[ \t]*+"
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_WORD = rf"(?:{_NAME}|{_QUOTED})"
_PARAMETER = rf"{_SPACE};{_SPACE}(?:{_NAME}(?:{_SPACE}={_SPACE}{_WORD})?+)?+"
_PREFERENCE = re.compile(
    rf"{_SPACE}({_NAME})(?:{_SPACE}={_SPACE}({_WORD}))?+(?:{_PARAMETER})*+{_SPACE}"
)
_ELEMENT = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+(?:"|\\?$))++')
"""What stands between commas; those in a quoted string separate nothing."""

_ESCAPED = re.compile(r"\\(.)")
_DIGITS_MAX = 9
_SECONDS_MAX = 10.0**_DIGITS_MAX


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a request prefers of that which is served here."""

    respond_async: bool = False
    wait_seconds: float | None = None

    @classmethod
    def of(cls, request: Request) -> Preferences:
        """Those of a request; of a preference that is given twice, the first one counts."""
        if request.first.get(b"prefer") is None:
            return NONE
        lines = [value for name, value in request.scope["headers"] if name == b"prefer"]
        found: dict[str, str] = {}
        for name, value in _parse(b",".join(lines).decode("latin-1")):
            found.setdefault(name, value)
        return cls(found.get("respond-async") == "", _seconds(found.get("wait", "")))

    def wait_within(self, most_seconds: float) -> float | None:
        """For how long to wait, of `most_seconds` at most; None where no wait is asked for."""
        return None if self.wait_seconds is None else min(self.wait_seconds, most_seconds)


NONE = Preferences()
"""Nothing is wished."""


def applied(*, responded_async: bool, waited_seconds: float | None) -> list[Header]:
    """`Preference-Applied`: what was honoured, in whole seconds; no header where nothing was."""
    names = ["respond-async"] if responded_async else []
    if waited_seconds is not None:
        names.append(f"wait={int(waited_seconds)}")
    return [(b"preference-applied", ", ".join(names).encode())] if names else []


def _parse(text: str) -> Iterator[tuple[str, str]]:
    """Names, in lower case, and values; empty for none. What is malformed is left out."""
    for element in _ELEMENT.findall(text):
        match = _PREFERENCE.fullmatch(element)
        if match is not None:
            value = match[2] or ""
            if value.startswith('"'):
                value = _ESCAPED.sub(r"\1", value[1:-1])
            yield match[1].lower(), value


def _seconds(value: str) -> float | None:
    """Delta-seconds (RFC 9110, section 10.2.3); None for anything else."""
    if not (value.isascii() and value.isdigit()):
        return None
    digits = value.lstrip("0") or "0"
    return _SECONDS_MAX if len(digits) > _DIGITS_MAX else float(digits)
