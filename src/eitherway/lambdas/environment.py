"""One execution environment: the app, opened once, on an event loop kept across invocations."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from ..app import App
from ..attempt.polling import PollingWatcher
from ..attempt.runtime import Runtime
from ..engines.aws.engine import AwsEngine
from ..errors import ConfigurationError, EngineError
from ..importing import load_app
from ..settings import Settings

T = TypeVar("T")

_MARGIN_SECONDS = 1.0
_MARGIN_PART = 0.2
"""What a function keeps of its time to give back what it could not finish: the smaller of both."""


class LambdaContext(Protocol):
    """What Lambda says of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may go on, in milliseconds."""


class Invocation:
    """One call of the function: the opened app, and how long there is for the work."""

    def __init__(self, app: App, context: LambdaContext, stopping: asyncio.Event) -> None:
        self.app = app
        self.runtime = app.runtime
        self.stopping = stopping  # set when the environment is told to end
        seconds = context.get_remaining_time_in_millis() / 1000
        margin = min(_MARGIN_SECONDS, _MARGIN_PART * seconds)
        self._end = asyncio.get_running_loop().time() + seconds - margin

    @property
    def seconds_left(self) -> float:
        """For work: what Lambda gives, less what it takes to give back the rest."""
        return max(0.0, self._end - asyncio.get_running_loop().time())


class Environment:
    """Loads the app with the module, opens it at the first invocation, and keeps both.

    Between invocations Lambda freezes the process: leases and connections may have lapsed
    meanwhile, and whoever holds them finds out as after any pause. `app` is for tests; otherwise
    `EITHERWAY_APP` names it.
    """

    def __init__(self, *, serving: bool, app: App | None = None) -> None:
        target = os.environ.get("EITHERWAY_APP")
        self._app = load_app(target) if app is None and target else app
        self._serving = serving
        self._runner = asyncio.Runner()
        self._opened = False
        self._stopping: asyncio.Event | None = None

    def run(self, context: LambdaContext, work: Callable[[Invocation], Awaitable[T]]) -> T:
        """Do the work of one invocation. Whatever it raises is the function's error."""
        return self._runner.run(self._run(context, work))

    async def _run(self, context: LambdaContext, work: Callable[[Invocation], Awaitable[T]]) -> T:
        if self._app is None:
            raise ConfigurationError("EITHERWAY_APP is not set: give it MODULE:APP, as shop:app")
        if not self._opened:
            settings = Settings()
            logging.getLogger("eitherway").setLevel(settings.log_level.upper())
            runtime = await self._app.open(settings, serving=self._serving)
            runtime.watcher = PollingWatcher(runtime.engine, runtime.hub, runtime.clock)
            self._opened = True
            self._heed_sigterm()
        self._stopping = asyncio.Event()
        try:
            return await work(Invocation(self._app, context, self._stopping))
        finally:
            self._stopping = None
            await _rest(self._app.runtime)

    def _heed_sigterm(self) -> None:
        """Give back what is under way when told to end; with nothing under way, end."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def heed(_signal: int, _frame: Any) -> None:
            if self._stopping is None:
                raise SystemExit(0)
            loop.call_soon_threadsafe(self._stopping.set)

        signal.signal(signal.SIGTERM, heed)

    def close(self) -> None:
        """Let go of the app and of the loop. Idempotent."""
        if self._app is not None and self._opened:
            self._opened = False
            self._runner.run(self._app.close())
        self._runner.close()


async def _rest(runtime: Runtime) -> None:
    """Give back what is held of limits and not in use: others would miss it while we are frozen."""
    with suppress(EngineError):  # it lapses
        await runtime.limiter.return_idle()
        if isinstance(runtime.engine, AwsEngine):
            await runtime.engine.rest()
