"""`backup`: a copy of everything, while the app runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import EngineOption
from .store import AppOption, Store, console, on_store

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="where the copy goes")]


def backup(file: FileArgument, engine: EngineOption = None, app: AppOption = None) -> None:
    """Copy everything to a file, as it is at one moment, while the app goes on."""

    async def copy(store: Store) -> None:
        await store.engine.backup(file)

    on_store(engine, app, copy)
    console.print(f"{file} has every job that was accepted until now")
