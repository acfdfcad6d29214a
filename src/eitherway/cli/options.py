"""Options that commands share, and how a target becomes an app and its settings."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from ..app import App
from ..errors import ConfigurationError
from ..settings import Settings
from .importing import import_module

_MODULE = re.compile(r"\w+(\.\w+)*")

Target = Annotated[
    str, typer.Argument(metavar="MODULE:APP", help="where the app is, such as shop:app")
]
EngineOption = Annotated[
    str | None,
    typer.Option("--engine", metavar="URL", help="engine URL, such as sqlite:///./shop.db"),
]
HostOption = Annotated[str | None, typer.Option("--host", help="address to listen on")]
PortOption = Annotated[int | None, typer.Option("--port", help="port to listen on; 0 picks one")]
PublicUrlOption = Annotated[
    str | None, typer.Option("--public-url", metavar="URL", help="start of absolute links")
]
OperationsOption = Annotated[
    str | None, typer.Option("--operations", metavar="A,B", help="run these operations alone")
]
ServeOption = Annotated[
    str | None,
    typer.Option(
        "--serve", metavar="A,B", help="serve these parts alone: operations, status, push, admin"
    ),
]
LogFormatOption = Annotated[
    str | None, typer.Option("--log-format", metavar="console|json", help="how log lines look")
]
LogLevelOption = Annotated[
    str | None,
    typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error"),
]
MetricsPortOption = Annotated[
    int | None,
    typer.Option("--metrics-port", metavar="PORT", help="a worker's own /metrics, /readyz, /livez"),
]
SupervisedOption = Annotated[
    bool, typer.Option("--supervised", hidden=True, help="drain when standard input ends")
]
CheckOption = Annotated[
    bool, typer.Option("--check", hidden=True, help="say whether it can be served, and end")
]
ServesOption = Annotated[
    int | None,
    typer.Option("--serves", hidden=True, help="descriptor to write to then"),
]
ListenerOption = Annotated[
    int | None, typer.Option("--listener", hidden=True, help="file descriptor of a bound socket")
]


def load_app(target: str) -> App:
    """Import `module:app` from the current folder or `PYTHONPATH`. `ConfigurationError`."""
    module_name, separator, attribute = target.partition(":")
    if module_name.endswith(".py"):
        raise ConfigurationError(
            f"{target!r}: name the module, not its file: {target.replace('.py', '', 1)}"
        )
    if not separator or not attribute or not _MODULE.fullmatch(module_name):
        raise ConfigurationError(f"{target!r} names no app: give MODULE:APP, such as shop:app")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = import_module(module_name, folder)
    app = getattr(module, attribute, None)
    if app is None:
        apps = [name for name, value in vars(module).items() if isinstance(value, App)]
        hint = f", but {' and '.join(apps)}" if apps else ": give it one, app = App(...)"
        raise ConfigurationError(f"{module_name} has no {attribute!r}{hint}")
    if not isinstance(app, App):
        raise ConfigurationError(f"{target} is a {type(app).__name__}, not an eitherway App")
    return app


def settings_of(**flags: object) -> Settings:
    """Settings of the environment, with the flags that were given. `ConfigurationError`."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # validated right here
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise ConfigurationError(
            f"--{name.replace('_', '-')} or EITHERWAY_{name.upper()}: {first['msg']}"
        ) from None


def shared_flags(settings: Settings) -> list[str]:
    """The flags that hand the engine, and how to log, on to a child process."""
    engine = ["--engine", settings.engine] if settings.engine else []
    return [*engine, "--log-format", settings.log_format, "--log-level", settings.log_level]


def gateway_flags(settings: Settings) -> list[str]:
    """The flags that hand these settings on to a gateway process."""
    public = ["--public-url", settings.public_url] if settings.public_url else []
    address = ["--host", settings.host, "--port", str(settings.port)]
    return [*shared_flags(settings), *public, *address]
