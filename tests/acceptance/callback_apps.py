"""An app whose jobs' ends are told to a URL."""

from eitherway import App, Reject, Retry

app = App("callbacks")

LARGE = "x" * 30_000


@app.post("/echo", delivery="queued", callbacks=True, lease_seconds=1, retry=Retry(attempts=1))
async def echo(text: str) -> str:
    """Gives it back, unless it is bad, breaks something, or asks for more."""
    if text == "bad":
        raise Reject("bad text")
    if text == "broken":
        raise ValueError(text)
    return LARGE if text == "large" else text
