"""What an `App` is to servers and to other ASGI applications: mounting, middleware, lifespan."""

from __future__ import annotations

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

from .errors import ConfigurationError, EitherwayError
from .gateway.wire import Receive, Scope, Send, refuse
from .lifespan import AsgiApp, Lifespans, Opening, mounted_lifespan
from .problem import Problem

if TYPE_CHECKING:  # a worker runs an app without it
    from .gateway.asgi import Gateway
    from .gateway.plain import PlainDoors

logger = logging.getLogger("eitherway")

_WANTED = (
    "is no lifespan, which is an async generator function under @contextlib.asynccontextmanager "
    "that takes the app, or a list of some"
)
P = ParamSpec("P")
Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]
"""Opens before the block and closes after it; called with the app, as Starlette's is."""


class Hosting(ABC):
    """The ASGI side of an app: what is around it, beside it, and what opens with it."""

    name: str

    def __init__(self, lifespan: Lifespan | Sequence[Lifespan]) -> None:
        self._own = (lifespan,) if callable(lifespan) else _checked(lifespan)
        self._mounts: dict[str, AsgiApp] = {}
        self._layers: list[Callable[[AsgiApp], AsgiApp]] = []
        self._lifespans = Lifespans()
        self._serving: AsgiApp | None = None  # the gateway within its middleware, while open
        self.plain_doors: PlainDoors = {}  # past ASGI, where there is no middleware

    @property
    def mounted(self) -> Sequence[str]:
        """The paths of mounted applications."""
        return list(self._mounts)

    def mount(self, path: str, app: AsgiApp) -> None:
        """Serve another ASGI application under `path`: static files, a page, somebody's API.

        It gets the HTTP requests and WebSockets under that path that are no operation and none of
        eitherway's own, and is told the path as `root_path`. Its lifespan runs with the app's,
        wherever the app is served; not in workers.
        """
        prefix = path.rstrip("/")
        if not path.startswith("/") or "{" in path:
            raise ConfigurationError(f"mount({path!r}): a plain path that begins with '/'")
        if prefix in self._mounts:
            raise ConfigurationError(f"mount({path!r}): something is mounted there already")
        self._mounts[prefix] = app

    def add_middleware(
        self,
        factory: Callable[Concatenate[AsgiApp, P], AsgiApp],
        *args: P.args,
        **options: P.kwargs,
    ) -> None:
        """Put ASGI middleware around everything served; the last one added is the outermost.

        Called as Starlette's: `factory(app, *args, **options)`.
        """
        if self._serving is not None:
            raise ConfigurationError(f"the app {self.name!r} is open: add middleware before that")
        self._layers.append(lambda app: factory(app, *args, **options))

    @asynccontextmanager
    async def lifespan(self, _host: object = None) -> AsyncIterator[None]:
        """Open the app around the block, and let what runs finish (`drain_seconds`) after it.

        For whoever hosts the app: `FastAPI(lifespan=app.lifespan)`, or `async with app.lifespan():`
        in a lifespan of their own.
        """
        await self.open()
        try:
            yield
        finally:
            await asyncio.shield(self._finish())

    @abstractmethod
    async def open(self) -> Any:
        """Open the app."""

    @abstractmethod
    async def _finish(self) -> None:
        """Drain and close it."""

    async def _open_hosted(self, gateway: Gateway | None) -> None:
        """Open the app's own lifespan, and, behind a gateway, those of mounted applications."""
        openings: list[Opening] = [(_label(one), self._entered(one)) for one in self._own]
        if gateway is not None:
            for prefix, mounted in self._mounts.items():
                state = gateway.mount(prefix, mounted)
                running = mounted_lifespan(mounted, state)
                openings.append((f"the application at {prefix or '/'}", running))
            self._serving = gateway.within(self._layers)
            if self._serving is gateway:
                self.plain_doors = gateway.plain_doors
        await self._lifespans.start(openings)

    async def _close_hosted(self) -> None:
        self._serving, self.plain_doors = None, {}
        await self._lifespans.stop()

    def _entered(self, lifespan: Lifespan) -> AbstractAsyncContextManager[None]:
        try:
            manager = lifespan(self)
        except TypeError as error:
            raise ConfigurationError(f"{_label(lifespan)} takes the app: {error}") from None
        if isinstance(manager, AbstractAsyncContextManager):
            return manager
        if inspect.iscoroutine(manager):
            manager.close()
        raise ConfigurationError(f"{_label(lifespan)} {_WANTED}")

    # -- serving ---------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3: HTTP, WebSocket, and the lifespan that opens and closes the app."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif self._serving is not None:
            await self._serving(scope, receive, send)
        else:
            detail = (
                f"the app {self.name!r} is not open: whoever mounts it runs its lifespan, "
                "as in FastAPI(lifespan=app.lifespan); a server needs its own enabled"
            )
            logger.error(detail)
            await refuse(scope, receive, send, Problem.of("not-ready", detail))

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.open()
        except EitherwayError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        finally:
            await asyncio.shield(self._finish())
        await send({"type": "lifespan.shutdown.complete"})

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def close(self) -> None:
        """Let go of everything."""


def _checked(lifespans: Sequence[Lifespan]) -> tuple[Lifespan, ...]:
    if not isinstance(lifespans, (list, tuple)) or not all(map(callable, lifespans)):
        raise ConfigurationError(f"lifespan={lifespans!r} {_WANTED}")
    return tuple(lifespans)


def _label(lifespan: Lifespan) -> str:
    name = getattr(lifespan, "__qualname__", type(lifespan).__qualname__)
    return f"the lifespan {name}"
