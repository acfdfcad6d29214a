"""`TestApp`: an app on the real engine, its worker in your hand, time standing still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, overload

from ..app import App
from ..attempt.direct import DirectCall
from ..attempt.leases import LeaseKeeper, finish_or_give_back
from ..attempt.runtime import Runtime
from ..context import BatchHandler, Context
from ..enqueueing import Enqueueing
from ..errors import ConfigurationError, JobFailedError
from ..handle import Job
from ..ids import Randomness
from ..registry import message_of
from ..settings import Settings
from ..worker.consumer import Consumer
from ..worker.reaper import Reaper
from ..worker.worker import run_suspects
from . import http
from .clock import FakeClock
from .overriding import overridden

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class Crash(Exception):  # noqa: N818 - it stands for a death, not for an error
    """The process died here, as `TestApp.crash_at` asked."""


class TestApp(Enqueueing):
    """Opens an app in memory, under a `FakeClock`; an async context manager.

    Nothing runs by itself: `drain` runs what is due, `advance` moves the time. `seed` makes ids
    and jitter repeatable; `engine` is the URL of another engine to test on. `overrides` says what
    is called in place of a dependency, such as `{get_session: fake_session}`.
    """

    __test__ = False  # pytest: not a test class

    def __init__(
        self,
        app: App,
        *,
        engine: str = "sqlite://:memory:",
        seed: int | None = None,
        settings: Settings | None = None,
        overrides: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
    ) -> None:
        self.app = app
        self._overrides = overridden(app.operations, overrides or {})
        self.clock = FakeClock()
        self._settings = (settings or Settings()).model_copy(update={"engine": engine})
        self._randomness = Randomness(seed)
        self._crash_at: str | None = None
        self._crashed = False

    async def __aenter__(self) -> Self:
        await self.app.open(
            self._settings, clock=self.clock, randomness=self._randomness, at_step=self._at_step
        )
        self.runtime.executor.overrides = self._overrides
        self._start_worker()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.app.close()

    @property
    def runtime(self) -> Runtime:
        """The opened app's inside, for assertions on its engine."""
        return self.app.runtime

    # -- doing -----------------------------------------------------------------------------------

    @overload
    async def call(
        self,
        handler: Callable[Concatenate[Context, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...
    @overload
    async def call(
        self, handler: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    @overload
    async def call(
        self, handler: Callable[Concatenate[Context, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...
    @overload
    async def call(self, handler: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
    @overload
    async def call(self, handler: BatchHandler[A, T], item: A, /) -> T: ...

    async def call(self, handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run the operation now, as a direct request does, and give its result.

        `JobFailedError` with the problem where a request would be answered with one.
        """
        runtime = self.runtime
        operation = runtime.operations.of(handler)
        message = message_of(operation, args, kwargs)
        arguments = operation.binding.decode_message(message.payload, message.params)
        with self._dying():
            counted = operation.keys.of(arguments)
            ended = await DirectCall(runtime, operation, arguments, {}, counted).run()
        if ended.answer is None:
            problem = ended.problem.document() if ended.problem else {}
            raise JobFailedError(problem, ended.outcome.value)
        return operation.binding.decode_result(ended.answer.body)

    async def _enqueue(
        self, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Job[Any]:
        """It waits for `drain`."""
        with self._dying():
            return await self.app.enqueue(handler, *args, **kwargs)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.Response:
        """Send an HTTP request through the app's gateway."""
        with self._dying():
            return await http.request(self.app, method, url, json=json, body=body, headers=headers)

    # -- time and the worker ---------------------------------------------------------------------

    async def drain(self) -> int:
        """Run every job that is due, and those that they enqueue; how many attempts ran.

        Jobs that wait for their time, or for a rate, stay: `advance`, then drain again.
        """
        total = 0
        await self.runtime.limiter.return_idle()
        while True:
            await self._reaper.reap()
            started = await self._consumer.receive_once(0)
            self._consumer.attempts.batches.flush()  # what is there goes at once
            await finish_or_give_back(self.runtime, self._leases, None)
            self._raise_crash()
            if not started:
                started = await run_suspects(self.runtime)
                self._raise_crash()
            total += started
            if not started:
                return total

    async def advance(self, seconds: float) -> None:
        """Move the time on; timers go off on the way, jobs wait for `drain`."""
        await self.clock.advance(seconds)

    def crash_at(self, step: str) -> None:
        """Die the next time the engine reaches this step (one of `Engine.STEPS`).

        Whoever gets there raises `Crash`; what the worker held then waits for its lease to lapse.
        """
        steps = type(self.runtime.engine).STEPS
        if step not in steps:
            raise ConfigurationError(f"no step {step!r}: give one of {', '.join(steps)}")
        self._crash_at = step

    def _at_step(self, step: str) -> None:
        if step == self._crash_at:
            self._crash_at = None
            self._crashed = True
            raise Crash(step)

    @contextmanager
    def _dying(self) -> Iterator[None]:
        """A death here is told to the caller, and is over with that."""
        try:
            yield
        except Crash:
            self._crashed = False
            self._start_worker()
            raise

    def _raise_crash(self) -> None:
        """After a death: a new worker, which knows nothing of what the old one held."""
        if self._crashed:
            self._crashed = False
            self._start_worker()
            raise Crash("the worker died")

    def _start_worker(self) -> None:
        self._leases = LeaseKeeper(self.runtime)
        self._consumer = Consumer(self.runtime, self._leases)
        self._reaper = Reaper(self.runtime)
