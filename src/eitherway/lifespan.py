"""What opens and closes with an app: its own lifespan, and those of mounted applications."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from .errors import EitherwayError, LifespanError

logger = logging.getLogger("eitherway")

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
_NOT_THE_USERS = {Path(__file__).parent, Path(asyncio.__file__).parent.parent}

Opening = tuple[str, AbstractAsyncContextManager[Any]]
"""Something to open: what people call it, and its context manager."""


class Lifespans:
    """Context managers entered in order and left in reverse, all in one task of their own.

    So those that belong to the task that entered them (task groups) do not care who closes the app.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    async def start(self, openings: Sequence[Opening]) -> None:
        """Return when all are entered. `LifespanError`, and all are left, when one cannot be."""
        if not openings:
            return
        self._stop = asyncio.Event()
        self._started = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(openings), name="lifespan")
        try:
            await asyncio.wait({self._started, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.wait({task})
            raise
        if not self._started.done():
            task, self._task = self._task, None
            task.result()  # raises what went wrong

    async def stop(self) -> None:
        """Leave them. An error on the way is logged, and keeps no other from being left."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stop.set()
        try:
            await asyncio.shield(task)
        except Exception:
            logger.exception("the app's lifespan failed at its end")

    async def _run(self, openings: Sequence[Opening]) -> None:
        async with AsyncExitStack() as stack:
            for name, manager in openings:
                try:
                    await stack.enter_async_context(manager)
                except LifespanError as error:  # of something mounted
                    raise LifespanError(f"{name} failed at start: {error}") from error
                except EitherwayError:
                    raise
                except Exception as error:
                    raise LifespanError(f"{name} failed at start: {_told(error)}") from error
            self._started.set_result(None)
            await self._stop.wait()


@asynccontextmanager
async def mounted_lifespan(app: AsgiApp, state: dict[str, Any]) -> AsyncIterator[None]:
    """Run an ASGI application's own lifespan around the block; nothing where it has none.

    What it keeps for its requests is put into `state`. `LifespanError` where it says it failed.
    """
    asked: asyncio.Queue[Message] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Message] = loop.create_future()

    async def send(message: Message) -> None:
        if not answer.done():
            answer.set_result(message)

    async def ask(what: str) -> str | None:
        """What the application says of it, `complete` or `failed`; None: it says nothing."""
        nonlocal answer
        answer = loop.create_future()
        asked.put_nowait({"type": f"lifespan.{what}"})
        either: set[asyncio.Future[Any]] = {answer, running}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            return None
        said = answer.result()
        if said["type"].endswith(".failed"):
            raise LifespanError(_last_line(said.get("message", "")) or f"its {what} failed")
        return str(said["type"])

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}
    running = asyncio.ensure_future(_call(app, scope, asked.get, send))
    try:
        if await ask("startup") is None:  # it has none, and its task has ended: as uvicorn takes it
            yield
            return
        try:
            yield
        finally:
            await ask("shutdown")
    finally:
        running.cancel()
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # told already, or it knows no lifespan


async def _call(
    app: AsgiApp,
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    await app(scope, receive, send)


def _told(error: Exception) -> str:
    """An exception in one line, with the line of the user's code that it came from."""
    text = f"{type(error).__name__}: {_last_line(str(error))}".rstrip(": ")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if not (_NOT_THE_USERS & {*path.parents} or "site-packages" in path.parts):
            return f"{text} ({path.name}:{frame.lineno})"
    return text


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
