"""`jobs`: look at jobs from the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..clock import SystemClock
from ..engine.loader import load_engine
from ..errors import ConfigurationError, UnknownJobError
from ..gateway.documents import job_document
from ..ids import Randomness
from .options import EngineOption, load_app, settings_of

cli = typer.Typer(no_args_is_help=True, help="Look at jobs.")

AppOption = Annotated[
    str | None, typer.Option("--app", metavar="MODULE:APP", help="use this app's engine")
]


@cli.callback()
def jobs() -> None:
    """Look at jobs."""


@cli.command()
def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="the job's id")],
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the job document")] = False,
) -> None:
    """Show one job: where it is, and every attempt."""
    document = asyncio.run(_document(_engine_url(engine, app), job_id))
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        _print(document)


def _engine_url(engine: str | None, target: str | None) -> str:
    settings = settings_of(engine=engine)
    if settings.engine:
        return settings.engine
    if target is None:
        raise ConfigurationError(
            "which engine? give --engine URL, --app MODULE:APP or EITHERWAY_ENGINE"
        )
    return load_app(target).engine_url(settings)


async def _document(url: str, job_id: str) -> dict[str, Any]:
    engine = load_engine(url, clock=SystemClock(), randomness=Randomness())
    await engine.open()
    try:
        (record,) = await engine.get([job_id])
        if record is None:
            raise UnknownJobError(f"no job {job_id}: it never was, or its retention is over")
        document: dict[str, Any] = json.loads(
            job_document(record, engine.capabilities.durability, "/jobs")
        )
        return document
    finally:
        await engine.close()


def _print(document: dict[str, Any]) -> None:
    console = Console(highlight=False)
    facts = Table.grid(padding=(0, 2))
    for name in ("operation", "status", "created", "started", "finished", "deadline", "expires"):
        if document[name]:
            facts.add_row(f"[dim]{name}[/dim]", str(document[name]))
    facts.add_row("[dim]attempt[/dim]", f"{document['attempt']} of {document['attempts_max']}")
    for name in ("result", "error"):
        if name in document:
            facts.add_row(f"[dim]{name}[/dim]", json.dumps(document[name]))
    console.print(f"[bold]job {document['id']}[/bold]")
    console.print(facts)
    if document["attempts"]:
        console.print(_attempts(document["attempts"]))


def _attempts(attempts: list[dict[str, Any]]) -> Table:
    table = Table(
        "attempt", "outcome", "started", "seconds", "error", box=None, padding=(0, 2, 0, 0)
    )
    for attempt in attempts:
        error = attempt["error"] or {}
        table.add_row(
            str(attempt["number"]),
            attempt["outcome"] or "running",
            attempt["started"],
            _seconds(attempt["started"], attempt["finished"]),
            error.get("detail") or error.get("title") or "",
        )
    return table


def _seconds(started: str, finished: str | None) -> str:
    if finished is None:
        return ""
    taken = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    return f"{taken.total_seconds():.3f}"
