"""What an app on AWS does as it does at home, does otherwise, or is refused when it is built.

The rows of `docs/reference/parity.md`, once, as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from .parity_rows import DELIVERY, GUARANTEES, PATHS, POLICIES

Verdict = Literal["same", "different", "refused"]


class Row(NamedTuple):
    """One thing that is promised, and what becomes of it on AWS."""

    promise: str
    verdict: Verdict
    how: str = ""


class Section(NamedTuple):
    """Rows of one kind."""

    title: str
    rows: Sequence[Row]


SECTIONS: Sequence[Section] = (
    Section("Deliveries", [Row(*row) for row in DELIVERY]),
    Section("Paths", [Row(*row) for row in PATHS]),
    Section("Guarantees", [Row(*row) for row in GUARANTEES]),
    Section("What an operation or an app declares", [Row(*row) for row in POLICIES]),
)

_INTRODUCTION = """\
# What is the same on AWS

`eitherway aws build` makes a stack of the app that `eitherway run` serves. This is what of the promises holds there as it is, what
differs and how, and what is refused when the stack is built. `eitherway aws lint` prints the same table. How to go about it:
[deploy to AWS](../how-to/deploy-to-aws.md).

An operation with `delivery="queued"` is accepted by API Gateway itself, straight into its queue (`accept="gateway"`), or by a function that
stores the job first (`accept="function"`): [which, and why](handlers.md#accept). "At the gateway" below is the former.
"""


def page() -> str:
    """The page of the reference."""
    return "\n".join([_INTRODUCTION, *(_shown(section) for section in SECTIONS)])


def _shown(section: Section) -> str:
    lines = [f"## {section.title}", "", "| promise | on AWS | how |", "| --- | --- | --- |"]
    lines += [f"| {row.promise} | {row.verdict} | {row.how} |" for row in section.rows]
    return "\n".join([*lines, ""])
