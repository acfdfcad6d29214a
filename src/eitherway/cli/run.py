"""`run`, `gateway` and `worker`: the processes of an app, each of which imports its own part."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from typing import Annotated

import typer

from ..app import App
from ..errors import ConfigurationError
from ..importing import load_app
from ..otel import set_up_sdk
from ..settings import Settings
from ..worker.scaling import Scaling
from .forking import Footprint
from .listening import bind, url_of
from .living import run_loop
from .logs import configure
from .options import (
    CheckOption,
    EngineOption,
    HostOption,
    ListenerOption,
    LogFormatOption,
    LogLevelOption,
    MetricsPortOption,
    OperationsOption,
    PortOption,
    PublicUrlOption,
    ServeOption,
    ServesOption,
    SupervisedOption,
    Target,
    settings_of,
)
from .working import work, work_alone

logger = logging.getLogger("eitherway")


def run(
    target: Target,
    engine: EngineOption = None,
    host: HostOption = None,
    port: PortOption = None,
    public_url: PublicUrlOption = None,
    *,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    metrics_port: MetricsPortOption = None,
    single: Annotated[
        bool, typer.Option("--single", help="keep gateway and worker in one process")
    ] = False,
    workers: Annotated[
        str, typer.Option("--workers", metavar="N|MIN:MAX", help="worker processes, scaled by load")
    ] = "1",
    reload: Annotated[
        bool, typer.Option("--reload", help="load the app again when one of its files has changed")
    ] = False,
    check: CheckOption = False,
) -> None:
    """Serve an app: a gateway process and worker processes under one thin supervisor."""
    scaling = Scaling.parse(workers)
    if single and (reload or scaling.most > 1):
        other = "--reload" if reload else "--workers"
        raise ConfigurationError(f"--single is one process: leave {other} out, or --single")
    settings = settings_of(
        engine=engine,
        host=host,
        port=port,
        public_url=public_url,
        log_format=log_format,
        log_level=log_level,
        metrics_port=metrics_port,
    )
    configure(settings)
    if reload:
        _write_no_bytecode()
    footprint = Footprint()
    app = load_app(target)
    by_fork = not footprint.bars_forks()
    _check(app, target, settings)
    if check:
        return
    listener = bind(settings)
    _announce(app.name, listener, settings)
    if single:
        from .serving import serve_single  # noqa: PLC0415 - see above

        set_up_sdk(settings, app.name)
        run_loop(serve_single(app, settings, target, listener))
    from .supervising import supervise  # noqa: PLC0415 - see above

    supervise(app, target, settings, listener, scaling=scaling, by_fork=by_fork, reload=reload)


def _write_no_bytecode() -> None:
    """Neither here nor in a child: what is saved twice within a second might run as saved first.

    Python tells by seconds and size whether bytecode is of the file that is there.
    """
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


def gateway(
    target: Target,
    engine: EngineOption = None,
    host: HostOption = None,
    port: PortOption = None,
    public_url: PublicUrlOption = None,
    *,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    serve: ServeOption = None,
    supervised: SupervisedOption = False,
    listener: ListenerOption = None,
    serves: ServesOption = None,
) -> None:
    """Serve an app over HTTP, or a part of it; queued jobs wait for a worker."""
    settings = settings_of(
        engine=engine,
        host=host,
        port=port,
        public_url=public_url,
        log_format=log_format,
        log_level=log_level,
        serve=serve,
    )
    from .serving import serve_gateway  # noqa: PLC0415 - see above

    configure(settings)
    if listener is None:
        app = load_app(target)
        _check(app, target, settings)
        bound = bind(settings)
        _announce(app.name, bound, settings)
    else:
        app = load_app(target)
        bound = socket.socket(fileno=listener)
    set_up_sdk(settings, app.name)
    run_loop(serve_gateway(app, settings, bound, supervised=supervised, serves=serves))


def worker(
    target: Target,
    engine: EngineOption = None,
    *,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    metrics_port: MetricsPortOption = None,
    supervised: SupervisedOption = False,
    operations: OperationsOption = None,
    alone: Annotated[
        bool, typer.Option("--alone", hidden=True, help="run waiting suspects one by one, then end")
    ] = False,
) -> None:
    """Run an app's queued jobs, of all operations or of those named."""
    settings = settings_of(
        engine=engine,
        operations=operations,
        log_format=log_format,
        log_level=log_level,
        metrics_port=metrics_port,
    )
    configure(settings)
    app = load_app(target)
    set_up_sdk(settings, app.name)
    if alone:
        run_loop(work_alone(app, settings))
    else:
        run_loop(work(app, settings, target, supervised=supervised))


def _check(app: App, target: str, settings: Settings) -> None:
    """Whether its settings and its engine are as they should be. `EitherwayError`."""
    asyncio.run(app.check(settings))
    if not len(app.operations):
        logger.warning("%s has no operations: decorate a handler with @app.post(...)", target)


def _announce(name: str, listener: socket.socket, settings: Settings) -> None:
    from rich.console import Console  # noqa: PLC0415 - the processes that this one starts print nothing

    Console(stderr=True, highlight=False).print(
        f"[bold]{name}[/bold] is served at {settings.public_url or url_of(listener)}",
        soft_wrap=True,  # programs read this line
    )
