"""An app's own start and stop: in order, in one task, wherever handlers run."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from eitherway import App, ConfigurationError
from eitherway.lifespan import LifespanError
from eitherway.testing import TestApp


def pool(name, said):
    @asynccontextmanager
    async def lifespan(app):
        said.append(f"{name} opens in {app.name}")
        try:
            yield
        finally:
            said.append(f"{name} closes")

    return lifespan


def shop(*lifespans):
    app = App("shop", engine="sqlite://:memory:", lifespan=lifespans)

    @app.post("/orders", delivery="queued")
    async def place_order(order: dict) -> dict:
        return order

    return app


async def test_lifespans_open_in_order_and_close_in_reverse():
    """Around everything that a `TestApp` does."""
    said = []
    async with TestApp(shop(pool("a", said), pool("b", said))):
        assert said == ["a opens in shop", "b opens in shop"]
    assert said[2:] == ["b closes", "a closes"]


async def test_a_lifespan_may_use_the_app_and_belongs_to_one_task():
    """A task group in it, and closing from another task; jobs may be enqueued at both ends."""
    ids = []

    @asynccontextmanager
    async def lifespan(app):
        task = asyncio.current_task()
        ids.append((await app.enqueue(place_order, {})).id)
        async with asyncio.TaskGroup():
            yield
        assert asyncio.current_task() is task
        ids.append((await app.enqueue(place_order, {})).id)

    app = App("shop", engine="sqlite://:memory:", lifespan=lifespan)

    @app.operation()
    async def place_order(order: dict) -> dict:
        return order

    await asyncio.create_task(app.open())
    await asyncio.create_task(app.close())
    assert len(set(ids)) == 2


async def test_what_fails_at_start_is_one_line_and_closes_what_was_open():
    """With the line of code; the engine is closed, too."""
    said = []

    @asynccontextmanager
    async def broken(_):
        raise ConnectionError("no database\nat all")
        yield

    app = shop(pool("a", said), broken)
    with pytest.raises(LifespanError) as caught:
        await app.open()
    message = str(caught.value)
    assert message.startswith("the lifespan test_what_fails_at_start")
    assert "broken failed at start: ConnectionError: at all (test_lifespan.py:" in message
    assert said == ["a opens in shop", "a closes"]
    with pytest.raises(ConfigurationError, match="not open"):
        app.runtime  # noqa: B018


async def test_a_start_that_is_cancelled_closes_what_was_open():
    """The engine, too: the app can be opened again."""
    said, never = [], asyncio.Event()

    @asynccontextmanager
    async def slow(_):
        said.append("waits")
        await never.wait()
        yield

    app = shop(pool("a", said), slow)
    opening = asyncio.ensure_future(app.open())
    while "waits" not in said:
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert said == ["a opens in shop", "waits", "a closes"]
    never.set()
    async with app:
        assert said[-1] == "waits"


async def test_a_server_is_told_what_failed():
    """`lifespan.startup.failed`, with that line."""

    @asynccontextmanager
    async def broken(_):
        raise ConnectionError("no database")
        yield

    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "lifespan.startup"}

    await shop(broken)({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "ConnectionError: no database" in sent[0]["message"]


async def test_what_fails_at_the_end_keeps_nothing_else_open(caplog):
    """It is logged."""
    said = []

    @asynccontextmanager
    async def broken(_):
        yield
        raise ConnectionError("gone already")

    app = shop(pool("a", said), broken)
    async with app:
        pass
    assert said[-1] == "a closes"
    assert "failed at its end" in caplog.text


async def test_what_is_no_lifespan_is_refused():
    """A plain async generator, without `asynccontextmanager`; a coroutine; one without the app."""

    async def forgotten(_):
        yield

    async def coroutine(_): ...

    @asynccontextmanager
    async def alone():
        yield

    for wrong, says in (
        (forgotten, "asynccontextmanager"),
        (coroutine, "asynccontextmanager"),
        (alone, "takes the app"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            await shop(wrong).open()
    for none in (5, "text", [5], None):
        with pytest.raises(ConfigurationError, match="lifespan="):
            App("shop", lifespan=none)
