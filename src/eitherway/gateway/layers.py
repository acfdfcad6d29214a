"""ASGI middleware around the gateway: every HTTP request and WebSocket passes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from ..cors import cors_options, origins_of
from ..lifespan import AsgiApp
from ..settings import Settings
from .guard import Guard

Layer = Callable[[AsgiApp], AsgiApp]


class Layers:
    """Middleware in the order in which it was added: the last one is the outermost."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []

    def add(self, factory: Callable[..., AsgiApp], *args: Any, **options: Any) -> None:
        """Put one more around."""
        self._layers.append(lambda app: factory(app, *args, **options))

    def around(self, app: AsgiApp, settings: Settings) -> AsgiApp:
        """The application within all of it, and within CORS where origins are set.

        What a middleware raises is answered inside the next one out, which still adds its headers.
        """
        layers = [*self._layers]
        if origins := origins_of(settings.cors_origins):
            layers.append(partial(CORSMiddleware, **cors_options(*origins)))
        for layer in layers:
            app = Guard(layer(app))
        return app
