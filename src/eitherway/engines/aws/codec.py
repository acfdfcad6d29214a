"""Between a `Row` and an item of DynamoDB, with what the indexes need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple
from zlib import crc32

from pydantic_core import from_json, to_json

from ...job import FailureKind, JobState
from .rows import Row, Told
from .tables import EXPIRY, SWEEP_SHARDS

Image = Mapping[str, Any]
"""An item as DynamoDB has it: each attribute a mapping from its type to its value."""

BACKSTOP_SECONDS = 2 * 86_400.0
"""How long after its time DynamoDB deletes what `purge` has left."""

_APART = {"answer_body": "answer_apart", "payload": "payload_apart"}


class _Kind(NamedTuple):
    letter: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _told(text: str) -> tuple[Told, ...]:
    return tuple(
        Told(revision, JobState(state), at, progress)
        for revision, state, at, progress in from_json(text)
    )


def _json(value: Any) -> str:
    return to_json(value).decode()


_TEXT = _Kind("S", str, str)
_KINDS: Mapping[str, _Kind] = {
    "str": _TEXT,
    "int": _Kind("N", str, int),
    "float": _Kind("N", repr, float),
    "bool": _Kind("BOOL", bool, bool),
    "bytes": _Kind("B", bytes, bytes),
    "JobState": _Kind("S", str, JobState),
    "FailureKind": _Kind("S", str, FailureKind),
    "tuple[str, ...]": _Kind("S", _json, lambda text: tuple(from_json(text))),
    "tuple[Told, ...]": _Kind("S", _json, _told),
}
_FIELDS = [(each.name, _KINDS[str(each.type).removesuffix(" | None")]) for each in fields(Row)]


def to_image(row: Row) -> dict[str, Any]:
    """The item of a row; what is kept apart is not in it."""
    image: dict[str, Any] = {}
    for name, kind in _FIELDS:
        value = getattr(row, name)
        apart = _APART.get(name)
        if value is None or value is False or value in (b"", ()):
            continue
        if apart is None or not getattr(row, apart):
            image[name] = {kind.letter: kind.encode(value)}
    image["listed"] = {"S": f"{int(row.created * 1000):013d}#{row.id}"}
    if row.waits and row.attempt < row.attempts_max:
        image["waits"] = {"S": waits(row.operation, alone=row.suspect)}
    if row.look_at is not None:
        image["sweep"] = {"S": sweep("purge" if is_over(row) else "look", row.id)}
    if row.dead:
        image["dead"] = {"S": row.operation}
    if row.expires is not None:
        image[EXPIRY] = {"N": str(int(row.expires + BACKSTOP_SECONDS))}
    return image


def to_row(image: Image) -> Row | None:
    """The row of an item; None where it is something else: a tombstone, a key, an answer."""
    if "operation" not in image:
        return None
    values = {
        name: kind.decode(image[name][kind.letter]) for name, kind in _FIELDS if name in image
    }
    return Row(**values)


def is_over(row: Row) -> bool:
    """Whether it has ended, and nobody holds it any more."""
    return row.ended and row.lease_until is None


def waits(operation: str, *, alone: bool) -> str:
    """Under what the jobs of an operation wait, or its suspects."""
    return f"{int(alone)}#{operation}"


def sweep(what: str, id_: str) -> str:
    """Under what something is found when its `look_at` has come: what for, and a shard."""
    return f"{what}#{crc32(id_.encode()) % SWEEP_SHARDS}"


def sweeps(what: str) -> list[str]:
    """All of them, for who looks."""
    return [f"{what}#{shard}" for shard in range(SWEEP_SHARDS)]
