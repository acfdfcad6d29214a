"""`rename`: an app that has another name now, and keeps its store."""

from __future__ import annotations

from typing import Annotated

import typer

from ..attempt import tenant
from .options import EngineOption
from .store import Store, console, on_store

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="the app's name from now on")]


def rename(name: NameArgument, engine: EngineOption = None) -> None:
    """Say that a store's app has another name, so that it is let in."""

    async def write(store: Store) -> None:
        await tenant.rename(store.engine, name)

    on_store(engine, None, write)
    console.print(f"the store is of the app {name} from now on")
