"""An app whose jobs' ends are told, and short words for what its tests do."""

import base64
from contextlib import asynccontextmanager

from eitherway import App, Reject, Retry
from eitherway.engine.listing import JobFilter
from eitherway.job import JobState
from eitherway.settings import Settings
from eitherway.testing import TestApp
from sink import Sink

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()
OTHER = "whsec_" + base64.b64encode(b"another one of thirty-two bytes.").decode()
CALLBACK = "eitherway.callback"


def make_app() -> App:
    app = App("shop")

    @app.post("/echo", delivery="queued", callbacks=True, retry=Retry(attempts=1))
    async def echo(text: str, times: int = 1) -> str:
        if text == "bad":
            raise Reject("bad text")
        if text == "broken":
            raise ValueError("broken")
        return text * times

    @app.post("/either", delivery="auto", callbacks=True)
    async def either(text: str) -> str:
        return text

    @app.post("/plain", delivery="queued")
    async def plain(text: str) -> str:
        return text

    @app.get("/now")
    async def now() -> str:
        return "now"

    return app


def settings(*urls: str, secrets: str = SECRET, **more) -> Settings:
    more.setdefault("callback_networks", "127.0.0.0/8,::1/128")
    return Settings(callback_urls=",".join(urls), callback_secrets=secrets, **more)


@asynccontextmanager
async def shop_for(*sinks: Sink, app: App | None = None, **more):
    async with TestApp(
        app or make_app(), seed=7, settings=settings(*(s.url for s in sinks), **more)
    ) as shop:
        yield shop


async def ask(shop: TestApp, url: str, path: str = "/echo?text=hi", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await shop.request("POST", path, headers={"callback-url": url, **named})


async def callbacks(shop: TestApp, state: JobState | None = None, operation: str = CALLBACK):
    page = await shop.runtime.engine.list(JobFilter(operations=[operation]), None, 50)
    return [job for job in page.jobs if state in (None, job.state)]
