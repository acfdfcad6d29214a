"""The app of the acceptance test of exported spans."""

from eitherway import App, Context, Retry

app = App("spanned")


@app.post("/twice", delivery="queued", callbacks=True, retry=Retry(base_seconds=0.01))
async def twice(ctx: Context) -> str:
    """Fails the first time."""
    if ctx.attempt == 1:
        raise RuntimeError("again")
    return ctx.traceparent


@app.post("/once")
async def once(ctx: Context) -> str:
    return ctx.traceparent
