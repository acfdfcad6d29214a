"""Loads `queries.sql`: each statement by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from .rows import DueRow, HeldRow, JobRow

_ROW = re.compile(r"(?<=VALUES )\([^)]*\)")
_NAME = re.compile(r"^-- :name (\w+)$", re.MULTILINE)


def load_queries(text: str) -> Mapping[str, str]:
    """The statements of a query file by name, `{job}`, `{due}` and `{held}` filled in."""
    job = ", ".join(f"job.{name}" for name in JobRow._fields)
    due, held = ", ".join(DueRow._fields), ", ".join(f"job.{name}" for name in HeldRow._fields)
    _, *parts = _NAME.split(text)
    return {
        name: body.strip().replace("{job}", job).replace("{due}", due).replace("{held}", held)
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


QUERIES = load_queries(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))


@cache
def of_many(name: str) -> str:
    """The named change of the job whose seq comes last, for many jobs (a JSON array of seqs)."""
    return QUERIES[name].replace("WHERE seq = ?", "WHERE seq IN (SELECT value FROM json_each(?))")


@cache
def of_rows(name: str, count: int) -> str:
    """The named insertion of a row, of so many of them."""
    return _ROW.sub(lambda row: ", ".join([row[0]] * count), QUERIES[name])
