"""What is large of a job is kept apart: every write of an item costs what the whole item does."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import EngineError
from .codec import BACKSTOP_SECONDS, Image, to_row
from .rows import Row
from .store import Store, outcomes
from .tables import EXPIRY
from .writes import Write, commit

logger = logging.getLogger("eitherway.engine")

INLINE_BYTES = 8 * 1024
"""Larger payloads and answers are items of their own, `ID#payload` and `ID#answer#TOKEN`."""


def split(row: Row) -> Row:
    """The row that says what of it is apart."""
    return replace(
        row,
        payload_apart=len(row.payload) > INLINE_BYTES,
        answer_apart=len(row.answer_body or b"") > INLINE_BYTES,
    )


async def store_payload(store: Store, row: Row, *, over: bool = False) -> None:
    """Put the payload that is apart; not `over` one that is there, which is an earlier accept's.

    Before the row, so that no row says what is not there.
    """
    if not row.payload_apart:
        return
    write = payload(store, row)
    if not over:
        write = replace(write, condition="attribute_not_exists(id)")
    await commit(store, [write])


def payload(store: Store, row: Row) -> Write:
    """Put the payload that is apart, whatever was there."""
    image = {**_key(row, answer=False), "bytes": {"B": row.payload}}
    return Write(table=store.jobs, image=image)


async def store_answer(store: Store, row: Row) -> None:
    """Put the answer that is apart: under the lease's token, so that a late worker harms none."""
    if not row.answer_apart:
        return
    image: dict[str, Any] = {**_key(row, answer=True), "bytes": {"B": row.answer_body}}
    if row.expires is not None:
        image[EXPIRY] = {"N": str(int(row.expires + BACKSTOP_SECONDS))}
    await commit(store, [Write(table=store.jobs, image=image)])


async def load(store: Store, images: Sequence[Image | None]) -> list[Row | None]:
    """The rows of these images, whole."""
    rows = [None if image is None else to_row(image) for image in images]
    wanted = [key for row in rows if row is not None for key in _apart(row)]
    if not wanted:
        return rows
    found = dict(
        zip((key["id"]["S"] for key in wanted), await store.get(store.jobs, wanted), strict=True)
    )
    return [None if row is None else _whole(row, found) for row in rows]


async def read(store: Store, ids: Sequence[str]) -> list[Row | None]:
    """The rows of these jobs as they are now, None where there is none."""
    return await load(store, await store.get(store.jobs, [{"id": {"S": id_}} for id_ in ids]))


async def delete(store: Store, rows: Sequence[Row]) -> None:
    """Delete what was kept apart of rows that are no more; what cannot be, nobody names."""
    deleted = await outcomes(
        store.call(store.dynamo.delete_item, TableName=store.jobs, Key=key)
        for row in rows
        for key in _apart(row)
    )
    for one in deleted:
        if isinstance(one, EngineError):
            logger.warning("a large part of a job that is no more stays: %s", one)
        elif isinstance(one, BaseException):
            raise one


def _apart(row: Row) -> list[dict[str, Any]]:
    kinds = ((False, row.payload_apart), (True, row.answer_apart))
    return [_key(row, answer=answer) for answer, is_apart in kinds if is_apart]


def _key(row: Row, *, answer: bool) -> dict[str, Any]:
    return {"id": {"S": f"{row.id}#answer#{row.token}" if answer else f"{row.id}#payload"}}


def _whole(row: Row, found: Mapping[str, Image | None]) -> Row:
    payload, answer = row.payload, row.answer_body
    if row.payload_apart:
        payload = _bytes(found[_key(row, answer=False)["id"]["S"]])
    if row.answer_apart:
        answer = _bytes(found[_key(row, answer=True)["id"]["S"]])
    return replace(row, payload=payload, answer_body=answer)


def _bytes(image: Image | None) -> bytes:
    return b"" if image is None else bytes(image["bytes"]["B"])
