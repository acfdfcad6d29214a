"""An app whose callers have names, and requests that come from them."""

from eitherway import App, Context
from eitherway.auth import Anonymous, ApiKeys
from eitherway.auth.keyring import Keyring
from eitherway.settings import Settings
from eitherway.testing import TestApp


def shop(auth=None):
    """Operations in every delivery; `asked` tells who the handlers were called by."""
    app = App("shop", auth=[ApiKeys(), Anonymous()] if auth is None else auth)
    asked: list = []
    app.asked = asked

    @app.post("/direct")
    async def direct(ctx: Context) -> str | None:
        asked.append(("direct", ctx.principal, dict(ctx.headers)))
        return ctx.principal

    @app.post("/queued", delivery="queued")
    async def queued(ctx: Context) -> str | None:
        asked.append(("queued", ctx.principal, dict(ctx.headers)))
        if ctx.attempt == 1:
            raise RuntimeError("again")
        await ctx.enqueue(later)
        return ctx.principal

    @app.operation()
    async def later(ctx: Context) -> str | None:
        asked.append(("later", ctx.principal, {}))
        return ctx.principal

    @app.post("/either", delivery="auto")
    async def either(ctx: Context) -> str | None:
        asked.append(("either", ctx.principal, {}))
        return ctx.principal

    app.later = later
    return app


def serving(auth=None, **settings):
    return TestApp(shop(auth), settings=Settings(**settings))


async def key_of(served: TestApp, name: str, days: float | None = None) -> str:
    """A new API key of this principal."""
    runtime = served.runtime
    _, shown = await Keyring(runtime.engine, runtime.clock).create(name, days)
    return shown


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def caller(served: TestApp, name: str) -> dict[str, str]:
    """Headers of a caller with a new key."""
    return bearing(await key_of(served, name))
