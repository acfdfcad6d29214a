"""`dead`: dead letters, listed, shown, edited, sent again, deleted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..attempt.dead import Selection
from ..attempt.redrive import CANARY_SECONDS, Redriven
from ..engine.listing import JobFilter
from ..errors import CanaryError, ConfigurationError, InvalidInputError, UnknownJobError
from ..gateway.operator_documents import groups_document, inside_document, redriven_document
from .jobs import CauseOption, CountOption, CursorOption, OperationOption, print_job, print_page
from .options import EngineOption
from .store import AppOption, JsonOption, Store, console, on_store, print_json, print_table

cli = typer.Typer(no_args_is_help=True, help="Look at dead letters, send them again, delete them.")

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="the dead letter's id")]
JobsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[JOB]...", help="ids of dead letters")
]


@cli.callback()
def dead() -> None:
    """Look at dead letters, send them again, delete them."""


@cli.command("list")
def list_(
    engine: EngineOption = None,
    app: AppOption = None,
    operation: OperationOption = None,
    cause: CauseOption = None,
    count: CountOption = 50,
    *,
    cursor: CursorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Group what is dead by its cause; with --operation or --cause, list the letters."""
    if operation is None and cause is None and cursor is None:
        _print_groups(engine, app, as_json=as_json)
        return
    wanted = JobFilter(
        operations=None if operation is None else [operation], dead=True, cause=cause
    )
    print_page(
        on_store(engine, app, lambda store: store.operators.jobs(wanted, cursor, count)),
        as_json=as_json,
    )


def _print_groups(engine: str | None, app: str | None, *, as_json: bool) -> None:
    document = groups_document(on_store(engine, app, lambda store: store.operators.dead()))
    if as_json:
        print_json(document)
        return
    columns = ["count", "operation", "kind", "cause", "oldest", "newest", "sample"]
    print_table(columns, [[group[name] for name in columns] for group in document["groups"]])
    if not document["complete"]:
        console.print("[dim]there are more, older ones: these are the newest[/dim]")


@cli.command()
def show(
    job_id: JobArgument,
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show a job with its inside: payload, parameters, headers, the exception of each attempt."""

    async def inside(store: Store) -> dict[str, object]:
        durability = store.engine.capabilities.durability
        return inside_document(await store.operators.job(job_id), durability, "/jobs")

    document = on_store(engine, app, inside)
    if as_json:
        print_json(document)
    else:
        print_job(document)


@cli.command()
def edit(
    job_id: JobArgument,
    payload: Annotated[
        str, typer.Option("--payload", metavar="FILE|-", help="the new payload; - reads stdin")
    ],
    engine: EngineOption = None,
    app: AppOption = None,
) -> None:
    """Send a dead letter again with another payload, checked against the operation with --app."""
    content = _read(payload)
    try:
        on_store(engine, app, lambda store: store.operators.edit(job_id, content))
    except InvalidInputError as error:
        places = "; ".join(f"{one['pointer'] or '/'}: {one['detail']}" for one in error.errors)
        raise ConfigurationError(f"--payload: {error}{f': {places}' if places else ''}") from None
    console.print(f"{job_id} is queued again, with the new payload", soft_wrap=True)


@cli.command()
def redrive(
    job_ids: JobsArgument = None,
    engine: EngineOption = None,
    app: AppOption = None,
    operation: OperationOption = None,
    cause: CauseOption = None,
    *,
    per_second: Annotated[
        float | None, typer.Option("--per-second", metavar="N", help="so many a second")
    ] = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="send one, and the others only if it succeeds")
    ] = False,
    canary_seconds: Annotated[
        float, typer.Option("--canary-seconds", min=0.1, help="how long to wait for the canary")
    ] = CANARY_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters again, with a fresh budget and deadline."""
    selection = _selection(job_ids, operation, cause)
    if per_second is not None and per_second <= 0:
        raise ConfigurationError("--per-second is above 0")
    done = on_store(
        engine,
        app,
        lambda store: store.operators.redrive(
            selection, per_second=per_second, canary=canary, canary_seconds=canary_seconds
        ),
    )
    if as_json:
        print_json(redriven_document(done))
    elif not done.stopped:
        console.print(f"{done.redriven} queued again", soft_wrap=True)
    _complain(done)


def _complain(done: Redriven) -> None:
    """Raise what makes the exit code something else than 0."""
    if done.stopped and done.canary is not None:
        raise CanaryError(
            f"the canary {done.canary.id} did not succeed, it is {done.canary.state}; the other "
            f"{done.matched - 1} dead letters are as they were"
        )
    if done.left:
        raise UnknownJobError(f"no dead letters (any more): {', '.join(done.left)}")


@cli.command()
def purge(
    job_ids: JobsArgument = None,
    engine: EngineOption = None,
    app: AppOption = None,
    operation: OperationOption = None,
    cause: CauseOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Delete dead letters for good, with their payloads."""
    selection = _selection(job_ids, operation, cause)
    purged = on_store(engine, app, lambda store: store.operators.purge(selection))
    if as_json:
        print_json({"purged": purged})
    else:
        console.print(f"{purged} deleted")
    if job_ids and purged < len(set(job_ids)):
        raise UnknownJobError(f"{len(set(job_ids)) - purged} of these ids are no dead letters")


def _selection(ids: list[str] | None, operation: str | None, cause: str | None) -> Selection:
    try:
        return Selection(ids=ids or None, operation=operation, cause=cause)
    except InvalidInputError:
        raise ConfigurationError(
            "which dead letters? give their ids, or --operation, --cause or both"
        ) from None


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"--payload {path}: {error.strerror or error}") from None
