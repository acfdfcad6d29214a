"""Options that commands share, and how a target becomes an app and its settings."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import ValidationError

from ..errors import ConfigurationError
from ..settings import Settings

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
