"""`App`: operations and tables under one name, and what an ASGI server calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from .attempt.runtime import Runtime
from .attempt.tenant import move_in
from .auth import Authenticator
from .auth.authenticator import schemes_of
from .auth.given import authenticators
from .clock import Clock, SystemClock
from .engine.loader import load_engine
from .enqueueing import Enqueueing
from .errors import ConfigurationError
from .execute import Middleware
from .handle import Job
from .hosting import Hosting, Lifespan
from .ids import Randomness
from .router import Policies, Router
from .settings import Settings
from .table import Table, TableOptions, TableStore
from .webhooks.added import with_callbacks

if TYPE_CHECKING:  # a worker runs an app without it
    from .gateway.asgi import Gateway
    from .gateway.description.description import Description

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class App(Router, Enqueueing, Hosting):
    """Operations and tables under one name; an ASGI application.

    `engine` is a URL (`sqlite:///./<name>.db` unless given here, by `EITHERWAY_ENGINE` or on the
    command line). `auth` says who callers are: one authenticator of `eitherway.auth`, or several,
    of which the first that recognises somebody has the last word; without it nobody is asked.
    `lifespan` is your own start and stop, one or several to be entered in order: they open with the
    app, in every process that runs its handlers. The app is opened by the server's lifespan, by its
    host's (`App.lifespan`), or by `async with app`.
    """

    def __init__(
        self,
        name: str,
        *,
        engine: str | None = None,
        middleware: Sequence[Middleware] = (),
        auth: Authenticator | Sequence[Authenticator] | None = None,
        lifespan: Lifespan | Sequence[Lifespan] = (),
    ) -> None:
        Router.__init__(self)
        Hosting.__init__(self, lifespan)
        if (
            not isinstance(name, str)
            or not name
            or not all(c.isalnum() or c in "-_." for c in name)
        ):
            raise ConfigurationError(f"App({name!r}): a name of letters, digits, '-', '_' and '.'")
        self.name = name
        self._engine_url = engine
        self._middleware = _checked(middleware)
        self._auth = authenticators(auth)
        self._tables: dict[str, Table[Any]] = {}
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

    @property
    def tables(self) -> Mapping[str, Table[Any]]:
        """The tables declared so far, by name."""
        return self._tables

    @property
    def authenticators(self) -> Sequence[Authenticator]:
        """Who says who callers are; none where nobody is asked."""
        return self._auth

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

    @property
    def gateway(self) -> Gateway:
        """What serves the opened app. `ConfigurationError` where nothing does."""
        if self._gateway is None:
            raise ConfigurationError(f"the app {self.name!r} is not open, or not to serve")
        return self._gateway

    def engine_url(self, settings: Settings) -> str:
        """The engine's URL: of the settings, else of the app, else `./<name>.db`."""
        return settings.engine or self._engine_url or f"sqlite:///./{self.name}.db"

    def describe(self, settings: Settings | None = None) -> Description:
        """What the app looks like from outside: its OpenAPI and AsyncAPI documents."""
        from .gateway.description.description import Description  # noqa: PLC0415 - as above

        settings = settings or Settings()
        return Description(
            self.name,
            self._operations,
            settings,
            engine_url=self.engine_url(settings),
            security=schemes_of(self._auth),
        )

    async def open(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        at_step: Callable[[str], None] = lambda _: None,
        serving: bool = True,
    ) -> Runtime:
        """Open the engine and what belongs to the app, and be ready to run. Idempotent while open.

        Not `serving`, there is no gateway, and mounted applications stay closed. `LifespanError`,
        `ConfigurationError`.
        """
        if self._runtime is not None:
            return self._runtime
        settings = settings or Settings()
        runtime = self._make(settings, clock or SystemClock(), randomness or Randomness(), at_step)
        gateway = self._gateway_of(runtime) if serving else None
        await runtime.open()
        try:
            await move_in(runtime.engine, self.name)
            if gateway is not None:
                await gateway.open()
        except BaseException:
            await runtime.close()
            raise
        self._runtime, self._gateway = runtime, gateway
        try:
            await self._open_hosted(gateway)
        except BaseException:
            await self.close()
            raise
        return runtime

    def check_routes(self, settings: Settings) -> None:
        """`ConfigurationError` for routes that clash, also with the gateway's. Opens nothing."""
        self._gateway_of(self._make(settings, SystemClock(), Randomness(), lambda _: None))

    async def check(self, settings: Settings) -> None:
        """`ConfigurationError` or `EngineError` where `open` would raise one. It stays closed."""
        runtime = self._make(settings, SystemClock(), Randomness(), lambda _: None)
        self._gateway_of(runtime)
        runtime.check()
        await runtime.engine.open()
        try:
            await move_in(runtime.engine, self.name)
        finally:
            await runtime.engine.close()

    def _make(
        self,
        settings: Settings,
        clock: Clock,
        randomness: Randomness,
        at_step: Callable[[str], None],
    ) -> Runtime:
        """What runs the app; nothing of it is open."""
        engine = load_engine(
            self.engine_url(settings), clock=clock, randomness=randomness, at_step=at_step
        )
        return Runtime(
            with_callbacks(self._operations, engine, clock, randomness, settings),
            engine,
            clock=clock,
            randomness=randomness,
            settings=settings,
            middleware=self._middleware,
        )

    def _gateway_of(self, runtime: Runtime) -> Gateway:
        """What serves the app. `ConfigurationError`, for routes that clash."""
        from .gateway.asgi import Gateway  # noqa: PLC0415 - it needs a web framework

        return Gateway(runtime, self.describe(runtime.settings), self._auth)

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
        """Let go of what was opened with the app, then of the engine. Idempotent."""
        await self.drain(0)
        await self._close_hosted()
        runtime, gateway = self._runtime, self._gateway
        self._runtime = self._gateway = None
        if gateway is not None:
            await gateway.close()
        if runtime is not None:
            await runtime.close()

    async def _finish(self) -> None:
        await self.drain(self.runtime.settings.drain_seconds)
        await self.close()

    def _store(self) -> TableStore:
        return self.runtime

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
