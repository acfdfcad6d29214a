"""Whose a store is: two apps in one would run one another's jobs where their names are the same."""

from __future__ import annotations

from ..engine.contract import Engine
from ..errors import ConfigurationError
from ..own_table import OwnTable

_APP = "app"


async def move_in(engine: Engine, name: str) -> None:
    """Have the store for the app of this name. `ConfigurationError` where it is another's."""
    table = OwnTable(engine, "store")
    document, version = await table.get(_APP)
    if document is None:
        if await table.put(_APP, {"name": name}, version):
            return
        document, _ = await table.get(_APP)  # another process was faster
    theirs = name if document is None else document["name"]
    if theirs != name:
        raise ConfigurationError(
            f"the store is of the app {theirs!r}, and this is {name!r}: give it one of its own "
            f"with --engine; where the app was renamed, say so with `eitherway rename {name}`"
        )


async def rename(engine: Engine, name: str) -> None:
    """Say that the app of this store has this name from now on."""
    await OwnTable(engine, "store").put(_APP, {"name": name}, version=None)
