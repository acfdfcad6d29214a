"""`App`: operations and tables under one name, and what an ASGI server calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Self, TypeVar, Unpack

from .attempt.runtime import Runtime
from .clock import Clock, SystemClock
from .engine.loader import load_engine
from .enqueueing import Enqueueing
from .errors import ConfigurationError
from .execute import Middleware
from .gateway.asgi import Gateway
from .gateway.routes import AsgiApp
from .handle import Job
from .ids import Randomness
from .router import Policies, Router
from .settings import Settings
from .table import Table, TableOptions, TableStore
from .webhooks.added import with_callbacks

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Message = MutableMapping[str, Any]


class App(Router, Enqueueing):
    """Operations and tables under one name; an ASGI application.

    `engine` is a URL (`sqlite:///./<name>.db` unless given here, by `EITHERWAY_ENGINE` or on the
    command line). The app is opened by the server's lifespan, or by `async with app`.
    """

    def __init__(
        self, name: str, *, engine: str | None = None, middleware: Sequence[Middleware] = ()
    ) -> None:
        super().__init__()
        if (
            not isinstance(name, str)
            or not name
            or not all(c.isalnum() or c in "-_." for c in name)
        ):
            raise ConfigurationError(f"App({name!r}): a name of letters, digits, '-', '_' and '.'")
        self.name = name
        self._engine_url = engine
        self._middleware = _checked(middleware)
        self._tables: dict[str, Table[Any]] = {}
        self._mounts: dict[str, AsgiApp] = {}
        self._runtime: Runtime | None = None
        self._gateway: Gateway | None = None

    def table(
        self, name: str, model: type[T], *, key: str, **options: Unpack[TableOptions]
    ) -> Table[T]:
        """A table of `model` (a model, dataclass, typed dict, or `dict`), keyed by its field `key`.

        `partition=`, `write_capacity=` and `write_burst_seconds=`: see `TableOptions`.
        """
        unknown = options.keys() - TableOptions.__annotations__.keys()
        if unknown:
            known = ", ".join(sorted(TableOptions.__annotations__))
            raise ConfigurationError(f"no setting {min(unknown)!r} for a table: give {known}")
        if name in self._tables:
            raise ConfigurationError(f"the table {name!r} is declared twice")
        table = Table(name, model, key, self._store, **options)
        self._tables[name] = table
        return table

    def mount(self, path: str, app: AsgiApp) -> None:
        """Serve another ASGI application under `path`: static files, a page, somebody's API.

        It gets what is under that path and is no operation, and is told the path as `root_path`.
        HTTP alone: the mounted application's lifespan is not run.
        """
        prefix = path.rstrip("/")
        if not path.startswith("/") or "{" in path:
            raise ConfigurationError(f"mount({path!r}): a plain path that begins with '/'")
        if prefix in self._mounts:
            raise ConfigurationError(f"mount({path!r}): something is mounted there already")
        self._mounts[prefix] = app

    def include(self, router: Router, prefix: str = "") -> None:
        """Take in the operations of another router, their paths behind `prefix`."""
        self._refuse_opened()
        super().include(router, prefix)

    def _declare(
        self, method: str | None, path: str | None, policies: Policies
    ) -> Callable[[F], F]:
        self._refuse_opened()
        return super()._declare(method, path, policies)

    def _refuse_opened(self) -> None:
        if self._runtime is not None:
            raise ConfigurationError(
                f"the app {self.name!r} is open: declare its operations before, at module level"
            )

    # -- opening ---------------------------------------------------------------------------------

    @property
    def runtime(self) -> Runtime:
        """What runs the opened app. `ConfigurationError` while it is not open."""
        if self._runtime is None:
            raise ConfigurationError(
                f"the app {self.name!r} is not open: use `async with app:`, or serve it"
            )
        return self._runtime

    def engine_url(self, settings: Settings) -> str:
        """The engine's URL: of the settings, else of the app, else `./<name>.db`."""
        return settings.engine or self._engine_url or f"sqlite:///./{self.name}.db"

    async def open(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        at_step: Callable[[str], None] = lambda _: None,
    ) -> Runtime:
        """Open the engine and be ready to run. Idempotent while open."""
        if self._runtime is not None:
            return self._runtime
        runtime, gateway = self._make(
            settings or Settings(), clock or SystemClock(), randomness or Randomness(), at_step
        )
        await runtime.open()
        self._runtime, self._gateway = runtime, gateway
        return runtime

    async def check(self, settings: Settings) -> None:
        """`ConfigurationError` or `EngineError` where `open` would raise one. It stays closed."""
        runtime, _ = self._make(settings, SystemClock(), Randomness(), lambda _: None)
        runtime.check()
        await runtime.engine.open()
        await runtime.engine.close()

    def _make(
        self,
        settings: Settings,
        clock: Clock,
        randomness: Randomness,
        at_step: Callable[[str], None],
    ) -> tuple[Runtime, Gateway]:
        """What runs the app; nothing of it is open. `ConfigurationError`, for routes that clash."""
        engine = load_engine(
            self.engine_url(settings), clock=clock, randomness=randomness, at_step=at_step
        )
        runtime = Runtime(
            with_callbacks(self._operations, engine, clock, randomness, settings),
            engine,
            clock=clock,
            randomness=randomness,
            settings=settings,
            middleware=self._middleware,
        )
        gateway = Gateway(runtime)
        for prefix, mounted in self._mounts.items():
            gateway.mount(prefix, mounted)
        return runtime, gateway

    def begin_drain(self) -> None:
        """Be ready no more, and let waiting clients go: the server is about to stop."""
        if self._gateway is not None:
            self._gateway.health.draining = True
        self.runtime.hub.release()

    async def drain(self, drain_seconds: float) -> None:
        """Let calls that have become jobs finish for so long, and give back the rest.

        For when the server has answered its requests, before `close`, which gives back at once.
        """
        if self._gateway is not None:
            await self._gateway.promoted.drain(drain_seconds)

    def bound_to(self, address: str) -> None:
        """Say where the server listens: without a token, `/admin` is for a loopback address."""
        if self._gateway is not None:
            self._gateway.admin.access.listener = address

    async def close(self) -> None:
        """Let go of the engine. Idempotent."""
        await self.drain(0)
        runtime, self._runtime, self._gateway = self._runtime, None, None
        if runtime is not None:
            await runtime.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _store(self) -> TableStore:
        return self.runtime

    # -- serving ---------------------------------------------------------------------------------

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """ASGI 3: HTTP, and the lifespan that opens and closes the app."""
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        if self._gateway is None:
            raise ConfigurationError(
                f"the app {self.name!r} is not open: enable the server's lifespan"
            )
        return await self._gateway(scope, receive, send)

    async def _lifespan(
        self,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        await receive()
        try:
            await self.open()
        except ConfigurationError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        finally:
            await asyncio.shield(self._finish())
        await send({"type": "lifespan.shutdown.complete"})

    async def _finish(self) -> None:
        await self.drain(self.runtime.settings.drain_seconds)
        await self.close()

    # -- enqueueing ------------------------------------------------------------------------------

    async def _enqueue(
        self, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Job[Any]:
        return await self.runtime.enqueue(handler, args, kwargs)


def _checked(middleware: Sequence[Middleware]) -> tuple[Middleware, ...]:
    """The middleware, where it is a sequence of functions."""
    if not isinstance(middleware, (list, tuple)) or not all(map(callable, middleware)):
        raise ConfigurationError(
            f"middleware={middleware!r}: give a list of functions of (ctx, proceed)"
        )
    return tuple(middleware)
