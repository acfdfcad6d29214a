"""What a replay has shown: the numbers of each lane, how they were had, and one sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from replay import Call, Lane
from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.table import Table

_HOW = """\
Times are in ms from the intended send time, of the orders that got that far.
accepted   the 200 (direct) or the 202 (queued) was received
committed  the row is there: every order is looked for in the table at the end;
           when: direct, by its 200; queued, by "finished" of the job's record
known      the client has learnt it: direct, by its 200; queued, by the status,
           long-polled over {pollers} connections
lost       intended - committed: nobody sends a refused order again"""


@dataclass(frozen=True)
class Summary:
    """A lane in numbers. Times are sorted, in seconds from the intended send time."""

    name: str
    path: str
    intended: int
    refused: int
    accepted: tuple[float, ...]
    committed: tuple[float, ...]
    known: tuple[float, ...]
    stored: int  # rows read back
    lag: tuple[float, ...]  # of the generator: sent - intended
    drain_seconds: float  # from the last intended send time to the last commit
    honest: bool  # rows are there for exactly the orders that were said to be committed

    @classmethod
    def of(cls, lane: Lane) -> Self:
        """Count what became of a lane's calls."""
        calls = lane.calls
        ends = [call.committed for call in calls if call.committed is not None]
        return cls(
            name=lane.name,
            path=lane.path,
            intended=len(calls),
            refused=sum(call.status == 503 for call in calls),
            accepted=_after(calls, "accepted"),
            committed=_after(calls, "committed"),
            known=_after(calls, "known"),
            stored=sum(call.stored for call in calls),
            lag=_after(calls, "sent"),
            drain_seconds=max(0.0, max(ends, default=0.0) - calls[-1].intended),
            honest=all(call.stored == (call.committed is not None) for call in calls),
        )

    @property
    def lost(self) -> int:
        """Orders that were to be placed, and are not in the table."""
        return self.intended - self.stored

    @property
    def other(self) -> int:
        """Calls that were neither accepted nor refused."""
        return self.intended - len(self.accepted) - self.refused


def show(console: Console, direct: Summary, queued: Summary, *, pollers: int) -> None:
    """Print both tables and how their numbers were had."""
    console.print(Columns([_table(direct), _table(queued)], padding=(0, 4)))
    console.print()
    console.print(_HOW.format(pollers=pollers), style="dim", highlight=False, soft_wrap=True)
    console.print()
    lags = f"{ms(direct.lag, 99)} ms (direct) and {ms(queued.lag, 99)} ms (queued)"
    console.print(f"The generator's own lag (sent - intended) is part of those times: p99 {lags}.")
    rows = direct.stored + queued.stored
    verdict = (
        "there is a row for exactly those that were said to be committed"
        if direct.honest and queued.honest
        else "the rows do NOT agree with what was said to be committed"
    )
    console.print(
        f"Read back: {direct.intended + queued.intended:,} orders looked for, {rows:,} found; "
        f"{verdict}."
    )
    if direct.other or queued.other:
        console.print(f"Calls that ended otherwise: {direct.other} direct, {queued.other} queued.")
    console.print()


def sentence(direct: Summary, queued: Summary) -> str:
    """What was seen, from the numbers alone."""
    return (
        f"Of the same {direct.intended:,} orders, direct committed {direct.stored:,} "
        f"and lost {direct.lost:,}, each known after {ms(direct.known, 50)} ms (p50); "
        f"queued committed {queued.stored:,} and lost {queued.lost:,}, accepted after "
        f"{ms(queued.accepted, 50)} ms and known after {ms(queued.known, 50)} ms (p50), "
        f"the last one {queued.drain_seconds:.1f} s after the last was sent."
    )


def ms(seconds: tuple[float, ...], percent: int) -> str:
    """A percentile (nearest rank) in milliseconds; a dash of nothing."""
    if not seconds:
        return "-"
    value = seconds[math.ceil(len(seconds) * percent / 100) - 1] * 1000
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _after(calls: Iterable[Call], moment: str) -> tuple[float, ...]:
    times = ((getattr(call, moment), call.intended) for call in calls)
    return tuple(sorted(time - intended for time, intended in times if time is not None))


def _table(lane: Summary) -> Table:
    table = Table(
        title=f"[bold]{lane.name}[/]  POST {lane.path}",
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("", no_wrap=True)
    for heading in ("orders", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=6)
    table.add_row("intended", f"{lane.intended:,}")
    table.add_row(
        "accepted", f"{len(lane.accepted):,}", ms(lane.accepted, 50), ms(lane.accepted, 99)
    )
    table.add_row("refused", f"{lane.refused:,}", style="yellow" if lane.refused else "")
    table.add_row("committed", f"{lane.stored:,}", ms(lane.committed, 50), ms(lane.committed, 99))
    table.add_row("known", f"{len(lane.known):,}", ms(lane.known, 50), ms(lane.known, 99))
    table.add_row("lost", f"{lane.lost:,}", style="bold red" if lane.lost else "bold green")
    return table
