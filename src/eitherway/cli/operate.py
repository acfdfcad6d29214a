"""`pause`, `resume` and `stats`: an operation's traffic, stopped, started and seen."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from ..gateway.operator_documents import limit_document, statistics_document
from ..job import JobState
from .options import EngineOption
from .store import (
    AppOption,
    JsonOption,
    Store,
    console,
    on_store,
    print_json,
    print_table,
    seconds_ago,
    until_interrupted,
)

OperationArgument = Annotated[str, typer.Argument(metavar="OPERATION", help="the operation's name")]
_WATCH_SECONDS = 1.0


def pause(operation: OperationArgument, engine: EngineOption = None, app: AppOption = None) -> None:
    """Start no more attempts of an operation, in any process; accept its jobs all the same."""
    on_store(engine, app, lambda store: store.operators.pause(operation, paused=True))
    console.print(f"{operation} is paused: its jobs wait until you resume it")


def resume(
    operation: OperationArgument, engine: EngineOption = None, app: AppOption = None
) -> None:
    """Start an operation's attempts again."""
    on_store(engine, app, lambda store: store.operators.pause(operation, paused=False))
    console.print(f"{operation} is not paused")


def stats(
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="show it again every second")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where the jobs are, by operation."""

    def show() -> None:
        document = on_store(engine, app, _statistics)
        if watch and console.is_terminal:
            console.clear()
        if as_json:
            print_json(document)
        else:
            _print(document)

    def again() -> None:
        show()
        time.sleep(_WATCH_SECONDS)

    if watch:
        until_interrupted(again)
    else:
        show()


async def _statistics(store: Store) -> dict[str, Any]:
    now = store.clock.now()
    operations = [statistics_document(one, now) for one in await store.operators.statistics()]
    limits = [limit_document(use) for use in await store.operators.limits()]
    workers = await store.operators.workers()
    return {"workers": workers, "operations": operations, "limits": limits}


def _print(document: dict[str, Any]) -> None:
    states = [state.value for state in JobState]
    rows = [
        (
            one["operation"],
            *(one["counts"][state] for state in states),
            one["dead"],
            seconds_ago(one["oldest_seconds"]),
            "paused" if one["paused"] else "",
        )
        for one in document["operations"]
    ]
    if document["workers"] is not None:
        console.print(f"workers: {document['workers']}")
    print_table(["operation", *states, "dead", "oldest waits", ""], rows)
    if document["limits"]:
        console.print()
        limits = [
            (use["limit"], use["running"], use["held"], use["started"], use["learned_per_second"])
            for use in document["limits"]
        ]
        print_table(["limit", "running", "held for calls", "started", "learned per second"], limits)
