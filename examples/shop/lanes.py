"""The replay of one workload into both lanes, with its progress bars."""

from __future__ import annotations

import asyncio

from client import Client
from exchange import title
from replay import Lane
from report import Summary
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from workload import SPEEDUP, Workload

from shop import orders_db

_REFRESH_SECONDS = 0.25  # often enough to be read, seldom enough not to delay the orders
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(bar_width=24),
    MofNCompleteColumn(),
    TextColumn("{task.fields[note]}"),
)


def introduce(console: Console, workload: Workload) -> None:
    """Say what is replayed, how much faster than it was, and against which limit."""
    title(console, "5. both ways, under load")
    console.print(
        "The requests to Kennedy Space Center's web server on a "
        f"launch day (13 July 1995, {workload.window}, real counts), {SPEEDUP} times as fast: "
        f"{len(workload.times):,} orders in {workload.seconds:g} s, up to "
        f"{workload.peak_per_second} in one second. The limit of both is "
        f"{orders_db.per_second:g} a second, {orders_db.in_flight} at once. First all orders "
        "direct, then all of them queued, each sent at its time whatever came of the others.\n"
    )


async def replay_both(
    console: Console, client: Client, workload: Workload
) -> tuple[Summary, Summary]:
    """One lane after the other: together they would share the limit, and the processor."""
    with Progress(*_COLUMNS, console=console, auto_refresh=False) as progress:
        tasks = [
            progress.add_task(name, total=len(workload.times), note="", start=False)
            for name in ("direct", "queued")
        ]
        direct = Lane("direct", "/orders/direct", client, workload)
        await _run(progress, tasks[0], direct)
        queued = Lane("queued", "/orders", client, workload)
        await _run(progress, tasks[1], queued)
    console.print()
    return Summary.of(direct), Summary.of(queued)


async def _run(progress: Progress, task: TaskID, lane: Lane) -> None:
    watching = asyncio.create_task(_watch(progress, task, lane))
    try:
        await lane.run()
        await lane.read_back()
    finally:
        watching.cancel()
        _update(progress, task, lane)


async def _watch(progress: Progress, task: TaskID, lane: Lane) -> None:
    while True:
        _update(progress, task, lane)
        await asyncio.sleep(_REFRESH_SECONDS)


def _update(progress: Progress, task: TaskID, lane: Lane) -> None:
    waiting = lane.answered - lane.refused - lane.ended
    note = f"known, {lane.refused:,} refused, {waiting:,} waiting"
    progress.update(task, completed=lane.ended, note=note, refresh=True)
