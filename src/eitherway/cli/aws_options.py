"""Options of `eitherway aws`, and what is wrong with what they are given."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ..aws.wheels import MACHINES, extras
from ..engines.aws import names
from ..errors import ConfigurationError

PYTHON = "3.13"
_PYTHONS = re.compile(r"3\.(1[1-9])")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_NOT_OF_USERS = ("AWS_", "LAMBDA_")
_OF_THE_STACK = {
    f"EITHERWAY_{name}"
    for name in ("APP", "ENGINE", "FUNCTION", "PREFIX", "PUBLIC_URL", "SERVE", "SOCKET_URL")
}

StackOption = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="of the stack; the app's by default")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="the folder to write")]
ArchOption = Annotated[str, typer.Option("--arch", metavar="ARCH", help="arm64 or x86_64")]
PythonOption = Annotated[
    str, typer.Option("--python", metavar="VERSION", help="of the functions, such as 3.13")
]
RequirementsOption = Annotated[
    Path | None, typer.Option("--requirements", metavar="FILE", help="what the app needs, for pip")
]
ExtrasOption = Annotated[
    str, typer.Option("--extras", metavar="A,B", help="of eitherway that the app uses: auth, sql")
]
IncludeOption = Annotated[
    list[Path] | None, typer.Option("--include", metavar="PATH", help="pack this, too")
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME", help="a variable that the handlers read"),
]
PricesOption = Annotated[
    Path | None, typer.Option("--prices", metavar="FILE", help="prices to reckon with")
]
ZipOption = Annotated[
    bool, typer.Option("--zip/--no-zip", help="whether to pack the code, which needs pip")
]
LintTarget = Annotated[
    str | None, typer.Argument(metavar="[MODULE:APP|FILE]", help="an app, or a template in JSON")
]
TemplateArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="the template that aws build wrote")
]
UrlOption = Annotated[str | None, typer.Option("--url", metavar="URL", help="where the API is")]
DeployedOption = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="a stack to ask for its URLs")
]
SocketOption = Annotated[
    str | None,
    typer.Option("--socket", metavar="URL", help="where the WebSocket is; URL/events by default"),
]
DirectOption = Annotated[
    str, typer.Option("--direct", metavar="'METHOD PATH'", help="a direct operation")
]
QueuedOption = Annotated[
    str, typer.Option("--queued", metavar="'METHOD PATH'", help="a queued operation")
]
BodyOption = Annotated[
    str, typer.Option("--body", metavar="JSON|@FILE", help="what is sent to both")
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header", metavar="'NAME: VALUE'", help="sent with every request"),
]
WithinOption = Annotated[
    float, typer.Option("--within", metavar="SECONDS", help="how long each step may take")
]


def extras_of(given: str) -> list[str]:
    """The extras that a flag names. `ConfigurationError` for one that is none."""
    named = [one.strip() for one in given.split(",") if one.strip()]
    unknown = set(named) - set(extras())
    if unknown:
        known = ", ".join(sorted(extras()))
        raise ConfigurationError(f"--extras {min(unknown)!r}: give some of {known}")
    return named


def check_build(
    architecture: str, python: str, environment: Sequence[str], files: Sequence[tuple[str, Path]]
) -> None:
    """`ConfigurationError` for the first flag of `aws build` that is wrong."""
    if architecture not in MACHINES:
        raise ConfigurationError(f"--arch {architecture!r}: give {' or '.join(MACHINES)}")
    if not _PYTHONS.fullmatch(python):
        raise ConfigurationError(
            f"--python {python!r}: give a version from 3.11 on, such as {PYTHON}"
        )
    for name in environment:
        if not _VARIABLE.fullmatch(name) or name in _OF_THE_STACK or name.startswith(_NOT_OF_USERS):
            raise ConfigurationError(
                f"--env {name!r}: give a variable of the app, such as BANK_URL, or a setting that "
                "the stack leaves open, such as EITHERWAY_RETENTION_SECONDS"
            )
    for flag, path in files:
        if not path.exists():
            raise ConfigurationError(f"{flag} {path}: there is no such file")


def stack_of(app: str, given: str | None) -> str:
    """The stack's name: what was given, else the app's, as far as a stack may be called so."""
    if given is not None:
        return given
    plain = re.sub(r"[^A-Za-z0-9-]", "-", app).lstrip("-0123456789")[: names.PREFIX_LENGTH_MAX]
    return plain.rstrip("-") or names.PREFIX


def body_of(given: str) -> str:
    """A body as it is given, or that of a file. `ConfigurationError`."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except OSError as error:
        raise ConfigurationError(f"--body {given}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"--body {given} is not JSON: it is no text") from None
