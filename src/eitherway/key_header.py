"""The value of the header `Idempotency-Key`: the client's own key, in quotes or without."""

from __future__ import annotations

import re

from .errors import InvalidInputError

_CHARS_MAX = 255
_PARAMETER = rb'[ ]*;[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:[^\s";,]+|"(?:[ !#-\[\]-~]|\\["\\])*"))?'
_QUOTED = re.compile(rb'"((?:[!#-\[\]-~]|\\["\\])*)"(?:%s)*' % _PARAMETER)  # RFC 9651, a String
_BARE = re.compile(rb"[!#-~][!-~]*")  # begins with no quote
_ESCAPED = re.compile(rb'\\(["\\])')


def own_key(value: bytes, *, must_be_quoted: bool) -> bytes:
    """The key itself: the same one, whether it stands in quotes or not. `InvalidInputError`."""
    value = value.strip(b" \t")
    quoted = _QUOTED.fullmatch(value)
    if quoted is None and must_be_quoted:
        raise InvalidInputError('the key must stand in quotes, as in Idempotency-Key: "8e03978e"')
    if quoted is None and _BARE.fullmatch(value) is None:
        raise InvalidInputError("a key is visible ASCII, in double quotes or without any")
    own = _ESCAPED.sub(rb"\1", quoted[1]) if quoted else value
    if not 1 <= len(own) <= _CHARS_MAX:
        raise InvalidInputError(f"a key has 1 to {_CHARS_MAX} characters, not {len(own)}")
    return own
