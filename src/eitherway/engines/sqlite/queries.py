"""Loads `queries.sql`: each statement by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path

from .due import Rest
from .rows import HeldRow, JobRow

_ROW = re.compile(r"(?<=VALUES )\([^)]*\)")
_HEX = {name: f"hex({name})" for name in ("params", "headers")}  # JSON holds no bytes
_COLUMNS = re.compile(r"\{\w+\}")
_NAME = re.compile(r"^-- :name (\w+)$", re.MULTILINE)


def load_queries(text: str) -> Mapping[str, str]:
    """The statements of a query file by name, `{job}`, `{held}` and `{rest}` filled in."""
    job, held = (
        ", ".join(f"job.{field.name}" for field in fields(row)) for row in (JobRow, HeldRow)
    )
    rest = ", ".join(_HEX.get(field.name, field.name) for field in fields(Rest))
    _, *parts = _NAME.split(text)
    columns = {"{job}": job, "{held}": held, "{rest}": rest}
    return {
        name: _COLUMNS.sub(lambda found: columns[found[0]], body.strip())
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
