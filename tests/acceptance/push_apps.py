"""The app that the acceptance tests of push serve."""

from eitherway import App, Context, Limit, Retry

app = App("push")


@app.post("/two", delivery="queued", retry=Retry(attempts=2, base_seconds=0.01))
async def two(ctx: Context) -> str:
    """Five events: its first attempt fails, its second succeeds."""
    if ctx.attempt == 1:
        raise RuntimeError("again")
    return ctx.job_id


@app.post("/large", delivery="queued", limit=Limit(in_flight=4))
async def large() -> str:
    return "x" * 200_000
