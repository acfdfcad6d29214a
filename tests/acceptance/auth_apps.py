"""The app that the acceptance tests of authentication serve."""

import os

from eitherway import App, Context, Retry
from eitherway.auth import ApiKeys, Jwt

auth = [ApiKeys(cache_seconds=0.2)]
if "TEST_JWKS_URL" in os.environ:
    url = os.environ["TEST_JWKS_URL"]
    auth.append(Jwt(jwks_url=url, issuer="https://issuer", audience="shop"))

app = App("auth", auth=auth)


@app.post("/whose", delivery="queued", retry=Retry(attempts=3, base_seconds=0.01))
async def whose(ctx: Context) -> str | None:
    """Its first attempt fails; its second enqueues a job."""
    if ctx.attempt == 1:
        raise RuntimeError("again")
    await ctx.enqueue(child)
    return ctx.principal


@app.operation()
async def child(ctx: Context) -> str | None:
    return ctx.principal


@app.post("/now")
async def now(ctx: Context) -> str | None:
    return ctx.principal


@app.post("/either", delivery="auto")
async def either(ctx: Context) -> str | None:
    return ctx.principal
