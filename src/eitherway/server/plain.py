"""A plain request and its answer, without a task and a scope unless it turns out to need them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..gateway.plain import PlainDoor, PlainDoors
from ..gateway.wire import Scope
from ..hosting import Hosting
from ..lifespan import AsgiApp
from .exchange import Exchange
from .heads import Head
from .request import scope_of

if TYPE_CHECKING:
    from .connection import Connection


_NONE: PlainDoors = {}


def doors_of(app: object, root_path: str) -> PlainDoors:
    """The doors past ASGI of an app that is served as it is: nothing stands around it."""
    if root_path or not isinstance(app, Hosting) or type(app).__call__ is not Hosting.__call__:
        return _NONE
    return app.plain_doors


class PlainExchange(Exchange):
    """Has a door take the request once it is whole; else it is any other exchange."""

    scope: Any = MappingProxyType({"type": "http", "method": "POST"})  # until one is made: no HEAD

    def __init__(self, connection: Connection, door: PlainDoor, head: Head) -> None:
        self._prepare(connection)
        self._connection = connection
        self._door = door
        self.head = head
        self.fields = head.fields
        self.headers = head.headers

    @property
    def scheme(self) -> str:
        """Of the connection."""
        return self._connection.scheme or "http"

    def complete(self) -> None:
        """The request has come whole: have it taken, or asked in full."""
        self.more_body = False
        self._has_news = True
        if not isinstance(self.body, bytes) or not self._door.take(self):
            self.begin()

    def begin(self) -> None:
        """Have the app answer, whether the request has come whole or not."""
        self._has_news = self._has_news or bool(self.body)
        self.scope = self._make_scope()
        self.run(self._connection.app)

    def run(self, answering: Callable[..., Awaitable[None]]) -> None:
        """Have it answered in a task of its own, as an application is called."""
        self._connection.start(self, answering)

    def ask(self, app: AsgiApp) -> Awaitable[None]:
        """Have an ASGI application answer."""
        self.scope = self._make_scope()
        send: Any = self.send  # uvicorn's messages are other names for the same
        return app(self.scope, self.receive, send)

    def _make_scope(self) -> Scope:
        head = self.head
        method, headers = head.method.decode("ascii"), list(head.headers)
        return scope_of(self._connection, method, "1.1", head.url, headers)
