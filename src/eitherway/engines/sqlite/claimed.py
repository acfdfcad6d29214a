"""What this process has claimed: a settlement does not read again what nobody has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...engine.stored import to_text
from .rows import HeldRow

if TYPE_CHECKING:
    from .transaction import Transaction

_ROWS_MAX = 4000
"""More than a process holds: those beyond are of leases that it lost."""


class Claimed:
    """Rows of jobs as their claims left them. To read a row takes longer than to count it.

    A job that still runs under the same token and revision is as it was. For the writer.
    """

    def __init__(self) -> None:
        self._rows: dict[str, HeldRow] = {}

    def add(self, rows: Iterable[HeldRow]) -> None:
        """Remember these."""
        if len(self._rows) > _ROWS_MAX:
            self.clear()
        for row in rows:
            self._rows[row.id] = row

    def clear(self) -> None:
        """Forget them all: what was written is not known."""
        self._rows.clear()

    def take(self, tx: Transaction, ids: Sequence[str]) -> Mapping[str, HeldRow] | None:
        """Forget these, and say what they are; None where one is not known, or has changed."""
        rows = [row for row in (self._rows.pop(each, None) for each in ids) if row is not None]
        stamps = {(row.token, row.revision) for row in rows}
        if len(rows) < len(ids) or len(stamps) != 1:
            return None
        ((token, revision),) = stamps
        seqs = to_text([row.seq for row in rows])
        (same,) = tx.one("as_claimed", seqs=seqs, token=token, revision=revision)
        return dict(zip(ids, rows, strict=True)) if same == len(rows) else None
