"""For whom a batch's handler is to run, call by call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..engine.values import ItemKey
from .batch_member import Member

_FITS_UNTIL_MORE = 100


@dataclass(frozen=True, kw_only=True)
class Group:
    """Members for whom the handler is to run once."""

    members: Sequence[Member]
    together: bool = False  # they see one another's writes, and commit as one
    moved: Sequence[ItemKey] = ()  # what the run before was in conflict about

    def of(self, members: Sequence[Member]) -> Group:
        """Others of the same kind, for a run that follows no conflict."""
        return replace(self, members=members, moved=())

    def halves(self) -> list[Group]:
        """Two groups where there was one."""
        middle = (len(self.members) + 1) // 2
        return [self.of(self.members[:middle]), self.of(self.members[middle:])]


@dataclass
class Habits:
    """What batches of an operation turned out to be like, so that the next need not find out."""

    together: bool = False  # what one item writes, others read
    items_max: int | None = None  # whose common write an engine takes
    fits: int = 0  # how often so many did fit

    def groups(self, members: Sequence[Member]) -> list[Group]:
        """A batch as it is run at first."""
        size = min(len(members), self.items_max or len(members))
        starts = range(0, len(members), size)
        return [Group(members=members[n : n + size], together=self.together) for n in starts]

    def fitted(self, count: int) -> None:
        """So many fitted. What was once too much is tried again, but seldom."""
        if self.items_max == count:
            self.fits += 1
            if self.fits == _FITS_UNTIL_MORE:
                self.items_max, self.fits = 2 * count, 0

    def exceeded(self, count: int) -> None:
        """So many were too many."""
        self.items_max, self.fits = (count + 1) // 2, 0
