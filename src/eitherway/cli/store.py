"""Commands that work on a store, without a gateway: which engine, and what comes out of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from ..app import App
from ..attempt.hub import Hub
from ..attempt.operators import Operators
from ..attempt.watch import Watcher
from ..clock import Clock, SystemClock
from ..engine.contract import Engine
from ..engine.loader import load_engine
from ..errors import ConfigurationError
from ..ids import Randomness
from ..importing import load_app
from .options import settings_of

T = TypeVar("T")

AppOption = Annotated[
    str | None, typer.Option("--app", metavar="MODULE:APP", help="use this app's engine")
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
console = Console(highlight=False)


@dataclass(frozen=True)
class Store:
    """An open engine, with what operators do to it."""

    engine: Engine
    operators: Operators
    clock: Clock


def on_store(
    engine: str | None,
    target: str | None,
    command: Callable[[Store], Awaitable[T]],
    *,
    create: bool = False,
) -> T:
    """Open the engine that is meant, run the command on it, close it.

    A store that is not there is made with `create` alone.
    """
    app = load_app(target) if target is not None else None
    return asyncio.run(_run(_engine_url(engine, app), app, command, create=create))


def _engine_url(engine: str | None, app: App | None) -> str:
    settings = settings_of(engine=engine)
    if app is not None:
        return app.engine_url(settings)
    if settings.engine is None:
        raise ConfigurationError(
            "which engine? give --engine URL, --app MODULE:APP or EITHERWAY_ENGINE"
        )
    return settings.engine


async def _run(
    url: str, app: App | None, command: Callable[[Store], Awaitable[T]], *, create: bool
) -> T:
    clock = SystemClock()
    engine = load_engine(url, clock=clock, randomness=Randomness())
    await engine.open(create=create)
    hub = Hub(engine, clock)
    watcher = Watcher(engine, hub, clock)
    operators = Operators(engine, clock, watcher, app.operations if app is not None else None)
    try:
        return await command(Store(engine, operators, clock))
    finally:
        await hub.close()
        await engine.close()


def print_json(document: Any) -> None:
    """For programs."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """For people: a table without lines; on a pipe, as wide as it has to be."""
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    if console.is_terminal:
        console.print(table)
    else:
        Console(highlight=False, width=1_000, file=sys.stdout).print(table, crop=False)


def seconds_ago(seconds: float | None) -> str:
    """An age, as people say it."""
    if seconds is None:
        return ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def until_interrupted(repeat: Callable[[], None]) -> None:
    """Repeat until Ctrl-C, which is no error."""
    with suppress(KeyboardInterrupt):
        while True:
            repeat()
