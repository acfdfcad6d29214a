"""`jobs`: look at jobs, and end them, from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic_core import from_json
from rich.markup import escape
from rich.table import Table

from ..attempt.cancel import Canceler
from ..attempt.telling import Telling
from ..engine.listing import JobFilter, JobPage
from ..errors import ConfigurationError, UnknownJobError
from ..gateway.documents import job_document
from ..gateway.operator_documents import page_document
from ..ids import Randomness
from ..job import JobState
from .options import EngineOption, settings_of
from .store import AppOption, JsonOption, Store, console, on_store, print_json, print_table

cli = typer.Typer(no_args_is_help=True, help="Look at jobs, and cancel them.")

OperationOption = Annotated[
    str | None, typer.Option("--operation", metavar="NAME", help="of this operation alone")
]
CauseOption = Annotated[
    str | None, typer.Option("--cause", metavar="CAUSE", help="that died of this cause alone")
]
CountOption = Annotated[int, typer.Option("--count", min=1, max=500, help="how many at most")]
CursorOption = Annotated[
    str | None, typer.Option("--cursor", metavar="CURSOR", help="go on after an earlier page")
]


@cli.callback()
def jobs() -> None:
    """Look at jobs, and cancel them."""


@cli.command("list")
def list_(
    engine: EngineOption = None,
    app: AppOption = None,
    operation: OperationOption = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="A,B", help="in these states alone")
    ] = None,
    count: CountOption = 50,
    *,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """List jobs, newest first."""
    wanted = JobFilter(
        operations=None if operation is None else [operation], states=_states(status)
    )
    print_page(
        on_store(engine, app, lambda store: store.operators.jobs(wanted, cursor, count)),
        as_json=as_json,
    )


def print_page(page: JobPage, *, as_json: bool) -> None:
    """A page of jobs."""
    document = page_document(page)
    if as_json:
        print_json(document)
        return
    rows = [
        (
            job["id"],
            job["operation"],
            job["status"],
            job["updated"],
            f"{job['attempt']} of {job['attempts_max']}",
            job["owner"],
            job["cause"] or job["detail"],
        )
        for job in document["jobs"]
    ]
    print_table(["job", "operation", "status", "updated", "attempt", "owner", "why"], rows)
    if page.cursor is not None:
        console.print(f"[dim]more with --cursor {escape(page.cursor)}[/dim]", soft_wrap=True)


def _states(text: str | None) -> list[JobState] | None:
    if text is None:
        return None
    try:
        return [JobState(word.strip()) for word in text.split(",")]
    except ValueError:
        raise ConfigurationError(f"--status {text!r}: give some of {', '.join(JobState)}") from None


@cli.command()
def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="the job's id")],
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="print the job document")] = False,
) -> None:
    """Show one job: where it is, and every attempt."""
    document = on_store(engine, app, lambda store: _document(store, job_id))
    if as_json:
        print_json(document)
    else:
        print_job(document)


@cli.command()
def cancel(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", help="the jobs' ids")],
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Cancel jobs that have not ended; what runs of them cannot commit any more."""
    ids = list(dict.fromkeys(job_ids))
    answers = on_store(engine, app, lambda store: _cancel(store, ids))
    canceled = [job_id for job_id, done in zip(ids, answers, strict=True) if done]
    left = [job_id for job_id in ids if job_id not in canceled]
    if as_json:
        print_json({"canceled": canceled, "left": left})
    else:
        console.print(f"{len(canceled)} canceled")
    if left:
        raise UnknownJobError(f"unknown, or ended before: {', '.join(left)}")


async def _cancel(store: Store, ids: Sequence[str]) -> Sequence[bool]:
    retention_seconds = settings_of().retention_seconds
    telling = Telling(Randomness())
    return await Canceler(store.engine, store.clock, retention_seconds, telling).cancel(ids)


async def _document(store: Store, job_id: str) -> dict[str, Any]:
    (record,) = await store.engine.get([job_id])
    if record is None:
        raise UnknownJobError(f"no job {job_id}: it never was, or its retention is over")
    document: dict[str, Any] = from_json(
        job_document(record, store.engine.capabilities.durability, "/jobs")
    )
    return {**document, "owner": record.owner}


def print_job(document: dict[str, Any]) -> None:
    """One job; with its inside, where the document has it."""
    facts = Table.grid(padding=(0, 2))
    for name in (
        "operation",
        "status",
        "owner",
        "created",
        "started",
        "finished",
        "deadline",
        "expires",
    ):
        if document[name]:
            facts.add_row(f"[dim]{name}[/dim]", escape(str(document[name])))
    facts.add_row("[dim]attempt[/dim]", f"{document['attempt']} of {document['attempts_max']}")
    for name in ("result", "error", "cause", "payload", "params", "headers"):
        if document.get(name):
            shown = document[name]
            text = shown if isinstance(shown, str) and name == "cause" else json.dumps(shown)
            facts.add_row(f"[dim]{name}[/dim]", escape(text))
    console.print(f"[bold]job {document['id']}[/bold]")
    console.print(facts)
    if document["attempts"]:
        console.print(_attempts(document["attempts"]))
    for attempt in document["attempts"]:
        if attempt.get("exception"):
            console.print(f"\n[dim]exception of attempt {attempt['number']}[/dim]")
            console.out(attempt["exception"].rstrip())


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
            escape(error.get("detail") or error.get("title") or ""),
        )
    return table


def _seconds(started: str, finished: str | None) -> str:
    if finished is None:
        return ""
    taken = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    return f"{taken.total_seconds():.3f}"
