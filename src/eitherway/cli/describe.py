"""`openapi`, `asyncapi`: print what the app looks like from outside."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError
from ..gateway.description.description import Description
from ..importing import load_app
from .options import EngineOption, PublicUrlOption, Target, settings_of

OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="write it to this file instead")
]


def openapi(target: Target, out: OutOption = None, public_url: PublicUrlOption = None) -> None:
    """Print the app's OpenAPI 3.1 document: what its HTTP interface takes and answers."""
    _write(_described(target, public_url, None).openapi(), out)


def asyncapi(
    target: Target,
    out: OutOption = None,
    public_url: PublicUrlOption = None,
    engine: EngineOption = None,
) -> None:
    """Print the app's AsyncAPI 3.1 document: its events, and the messages of its queues."""
    _write(_described(target, public_url, engine).asyncapi(), out)


def _described(target: str, public_url: str | None, engine: str | None) -> Description:
    return load_app(target).describe(settings_of(public_url=public_url, engine=engine))


def _write(document: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(document.decode() + "\n")
        return
    try:
        out.write_bytes(document + b"\n")
    except OSError as error:
        raise ConfigurationError(f"--out {out}: {error.strerror}") from None
