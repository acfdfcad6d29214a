"""What an app on AWS does as it does at home, does otherwise, or is refused when it is built.

The rows of `docs/reference/parity.md`, once, as data: `parity.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import Literal, NamedTuple, get_args

Verdict = Literal["same", "different", "refused"]

_INTRODUCTION = """\
# What is the same on AWS

`eitherway aws build` makes a stack of the app that `eitherway run` serves. This is what of the
promises holds there as it is, what differs and how, and what is refused when the stack is built.
`eitherway aws lint` prints the same table. How to go about it:
[deploy to AWS](../how-to/deploy-to-aws.md).

An operation with `delivery="queued"` is accepted by API Gateway itself, straight into its queue
(`accept="gateway"`), or by a function that stores the job first (`accept="function"`):
[which, and why](handlers.md#accept). "At the gateway" below is the former.
"""


class Row(NamedTuple):
    """One thing that is promised, and what becomes of it on AWS."""

    promise: str
    verdict: Verdict
    how: str


class Section(NamedTuple):
    """Rows of one kind."""

    title: str
    rows: Sequence[Row]


def sections() -> Sequence[Section]:
    """The whole table."""
    data = tomllib.loads(files(__package__).joinpath("parity.toml").read_text(encoding="utf-8"))
    return [
        Section(section["title"], [_row(*cells) for cells in section["rows"]])
        for section in data["section"]
    ]


def page() -> str:
    """The page of the reference."""
    return "\n".join([_INTRODUCTION, *map(_shown, sections())])


def _row(promise: str, verdict: Verdict, how: str = "") -> Row:
    if verdict not in get_args(Verdict):
        raise ValueError(f"{promise}: {verdict}")
    return Row(promise, verdict, how)


def _shown(section: Section) -> str:
    lines = [f"## {section.title}", "", "| promise | on AWS | how |", "| --- | --- | --- |"]
    lines += [f"| {row.promise} | {row.verdict} | {row.how} |" for row in section.rows]
    return "\n".join([*lines, ""])
