"""`run`, `gateway` and `worker`: the processes of an app."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Annotated

import typer
from rich.console import Console

from ..settings import Settings
from .options import (
    EngineOption,
    HostOption,
    ListenerOption,
    PortOption,
    PublicUrlOption,
    SupervisedOption,
    Target,
    flags_of,
    load_app,
    settings_of,
)
from .serving import bind, run_loop, serve_gateway, serve_single, url_of, work, work_alone
from .supervisor import Supervisor


def run(
    target: Target,
    engine: EngineOption = None,
    host: HostOption = None,
    port: PortOption = None,
    public_url: PublicUrlOption = None,
    *,
    single: Annotated[
        bool, typer.Option("--single", help="keep gateway and worker in one process")
    ] = False,
) -> None:
    """Serve an app: a gateway process and a worker process under one thin supervisor."""
    settings = settings_of(engine=engine, host=host, port=port, public_url=public_url)
    app = load_app(target)
    listener = bind(settings)
    _announce(app.name, listener, settings)
    if single:
        run_loop(serve_single(app, settings, target, listener))
    listener.set_inheritable(True)
    flags = [*flags_of(settings), "--supervised"]
    commands = [
        ("gateway", ["gateway", target, *flags, "--listener", str(listener.fileno())]),
        ("worker", ["worker", target, *flags]),
    ]
    sys.exit(asyncio.run(_supervise(commands, listener, settings)))


async def _supervise(
    commands: list[tuple[str, list[str]]], listener: socket.socket, settings: Settings
) -> int:
    supervisor = Supervisor(
        commands, pass_fds=[listener.fileno()], drain_seconds=settings.drain_seconds
    )
    return await supervisor.run()


def gateway(
    target: Target,
    engine: EngineOption = None,
    host: HostOption = None,
    port: PortOption = None,
    public_url: PublicUrlOption = None,
    *,
    supervised: SupervisedOption = False,
    listener: ListenerOption = None,
) -> None:
    """Serve an app over HTTP; queued jobs wait for a worker."""
    settings = settings_of(engine=engine, host=host, port=port, public_url=public_url)
    app = load_app(target)
    if listener is None:
        bound = bind(settings)
        _announce(app.name, bound, settings)
    else:
        bound = socket.socket(fileno=listener)
    run_loop(serve_gateway(app, settings, bound, supervised=supervised))


def worker(
    target: Target,
    engine: EngineOption = None,
    host: HostOption = None,
    port: PortOption = None,
    public_url: PublicUrlOption = None,
    *,
    supervised: SupervisedOption = False,
    alone: Annotated[
        bool, typer.Option("--alone", hidden=True, help="run waiting suspects one by one, then end")
    ] = False,
) -> None:
    """Run an app's queued jobs."""
    settings = settings_of(engine=engine, host=host, port=port, public_url=public_url)
    app = load_app(target)
    if alone:
        run_loop(work_alone(app, settings))
    else:
        run_loop(work(app, settings, target, supervised=supervised))


def _announce(name: str, listener: socket.socket, settings: Settings) -> None:
    Console(stderr=True, highlight=False).print(
        f"[bold]{name}[/bold] is served at {settings.public_url or url_of(listener)}",
        soft_wrap=True,  # programs read this line
    )
