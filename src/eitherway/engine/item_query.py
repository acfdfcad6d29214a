"""Queries of table items: what is asked for, and a page of what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .values import Item, ItemKey


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemQuery:
    """Up to `count` items of a table, or of a partition, in the order of their keys' UTF-8."""

    table: str
    partition: str = ""
    prefix: str = ""  # of the key
    after: str | None = None  # a key, of an item or not: only keys above it
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundItem:
    """An item that a query found, and where."""

    key: ItemKey
    item: Item


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemPage:
    """Items in order, and after which key to go on; None at the end."""

    items: Sequence[FoundItem]
    after: str | None
