"""`keys`: API keys, made, listed, revoked."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..auth.keyring import ApiKey, Keyring
from ..errors import UnknownKeyError
from ..gateway.documents import rfc3339
from .options import EngineOption
from .store import AppOption, JsonOption, Store, console, on_store, print_json, print_table

cli = typer.Typer(no_args_is_help=True, help="Make API keys for callers, and take them back.")


@cli.callback()
def keys() -> None:
    """Make API keys for callers, and take them back."""


@cli.command()
def create(
    principal: Annotated[
        str, typer.Argument(metavar="PRINCIPAL", help="whose it is: jobs are theirs by this name")
    ],
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    expires_days: Annotated[
        float | None,
        typer.Option("--expires-days", metavar="N", min=0.001, help="until then; else for good"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it: this once, for nothing but its digest is kept."""

    async def made(store: Store) -> tuple[ApiKey, str]:
        return await Keyring(store.engine, store.clock).create(principal, expires_days)

    key, shown = on_store(engine, app, made, create=True)  # before the app is started, too
    if as_json:
        print_json({**_document(key), "key": shown})
    else:
        typer.echo(shown)


@cli.command("list")
def list_(
    engine: EngineOption = None, app: AppOption = None, *, as_json: JsonOption = False
) -> None:
    """List all keys, oldest first, without their secrets."""

    async def found(store: Store) -> list[ApiKey]:
        return await Keyring(store.engine, store.clock).all()

    documents = [_document(key) for key in on_store(engine, app, found)]
    if as_json:
        print_json({"keys": documents})
    else:
        columns = ["id", "principal", "created", "expires", "revoked"]
        print_table(columns, [[one[name] for name in columns] for one in documents])


@cli.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="the key's id, as listed")],
    engine: EngineOption = None,
    app: AppOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Let a key open nothing any more, within seconds."""

    async def done(store: Store) -> ApiKey | None:
        return await Keyring(store.engine, store.clock).revoke(key_id)

    key = on_store(engine, app, done)
    if key is None:
        raise UnknownKeyError(f"no key has the id {key_id}: see `eitherway keys list`")
    if as_json:
        print_json(_document(key))
    else:
        console.print(f"{key.id} of {key.principal} is revoked", markup=False, soft_wrap=True)


def _document(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "principal": key.principal,
        "created": rfc3339(key.created),
        "expires": rfc3339(key.expires),
        "revoked": rfc3339(key.revoked),
    }
