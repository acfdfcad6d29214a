"""`config`: every setting, its value, and where that comes from."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from ..importing import load_app
from ..settings import Settings
from .options import EngineOption, HostOption, PortOption, PublicUrlOption, settings_of
from .store import JsonOption, print_json, print_table

_PREFIX = "EITHERWAY_"

AppOption = Annotated[
    str | None, typer.Option("--app", metavar="MODULE:APP", help="with the engine of this app")
]


def config(
    app: AppOption = None,
    engine: EngineOption = None,
    host: HostOption = None,
    port: PortOption = None,
    public_url: PublicUrlOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show every setting: its value, and whether a flag, the environment or the app gave it."""
    flags = {"engine": engine, "host": host, "port": port, "public_url": public_url}
    settings = settings_of(**flags)
    environment = {name.upper() for name in os.environ}
    rows = []
    for name, value in settings.model_dump(mode="json").items():  # a secret as asterisks
        source = "default"
        if flags.get(name) is not None:
            source = "flag"
        elif f"{_PREFIX}{name.upper()}" in environment:
            source = "env"
        elif name == "engine" and app is not None:
            value, source = load_app(app).engine_url(settings), "app"  # noqa: PLW2901
        rows.append(_row(name, value, source))
    if as_json:
        print_json({"settings": rows})
    else:
        columns = ["setting", "value", "source", "environment"]
        print_table(columns, [[row[column] for column in columns] for row in rows])


def _row(name: str, value: Any, source: str) -> dict[str, Any]:
    return {
        "setting": name,
        "value": value,
        "source": source,
        "environment": _PREFIX + name.upper(),
        "meaning": Settings.model_fields[name].description,
    }
