"""What eitherway itself keeps in the engine: items of tables that no app can declare.

The engine's contract knows nothing of it, so every engine has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from .engine.contract import Engine
from .engine.item_query import ItemQuery
from .engine.values import ItemCheck, ItemKey, ItemWrite, Settlement, SettleStatus, Work
from .table import RESERVED

_PAGE = 100


class OwnTable:
    """A reserved table: small documents by key."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = RESERVED + name

    async def get(self, key: str) -> tuple[Mapping[str, Any] | None, int]:
        """A document and its version; None, with a version to write over, where there is none."""
        (item,) = await self._engine.read([ItemKey(table=self._name, key=key)])
        return None if item.value is None else from_json(item.value), item.version

    async def put(self, key: str, document: Mapping[str, Any], version: int | None) -> bool:
        """Write over this version; False, and nothing is written, where it has moved.

        With None over whatever is there.
        """
        where = ItemKey(table=self._name, key=key)
        work = Work(
            checks=[] if version is None else [ItemCheck(key=where, version=version)],
            writes=[ItemWrite(key=where, value=to_json(document))],
        )
        (settled,) = await self._engine.settle([Settlement(work=work)])
        return settled.status is SettleStatus.DONE

    async def all(self) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """Every document, by its key, in the keys' order."""
        after: str | None = None
        while True:
            page = await self._engine.query(ItemQuery(table=self._name, after=after, count=_PAGE))
            for found in page.items:
                if found.item.value is not None:
                    yield found.key.key, from_json(found.item.value)
            if page.after is None:
                return
            after = page.after
