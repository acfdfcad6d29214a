"""ASGI middleware around the gateway: every HTTP request and WebSocket passes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from starlette.middleware.cors import CORSMiddleware

from ..cors import cors_options, origins_of
from ..lifespan import AsgiApp
from ..settings import Settings
from .guard import Guard

Layer = Callable[[AsgiApp], AsgiApp]


def around(app: AsgiApp, layers: Sequence[Layer], settings: Settings) -> AsgiApp:
    """The application within all layers, the last one outermost, and in CORS where origins are set.

    What a middleware raises is answered inside the next one out, which still adds its headers.
    """
    if origins := origins_of(settings.cors_origins):
        layers = [*layers, partial(CORSMiddleware, **cors_options(*origins))]
    for layer in layers:
        app = Guard(layer(app))
    return app
