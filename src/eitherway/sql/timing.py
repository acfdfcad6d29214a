"""What SQLAlchemy's engines take, told to the attempt that uses them (`current_spending`).

An `AsyncEngine` runs its driver in greenlets, which share the context of the task that waits for
them: so the variable is that of the attempt there too.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine

from ..spending import current_spending

_STARTED = "eitherway_started"  # in a connection's info: its statements do not overlap


def observe(engine: Engine | AsyncEngine) -> None:
    """Record how long this engine's statements take, and the waits for its pool's connections.

    Once is enough, more does no harm; `once` does it for its own session's engine.
    """
    plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    plain = getattr(plain, "_proxied", plain)  # of Engine.execution_options(): one pool, one engine
    if event.contains(plain, "before_cursor_execute", _before):
        return
    event.listen(plain, "before_cursor_execute", _before)
    event.listen(plain, "after_cursor_execute", _after)
    event.listen(plain, "handle_error", _failed)
    event.listen(plain, "engine_disposed", _observe_pool)  # which has made a new pool
    _observe_pool(plain)


def _before(connection: Connection, *_: Any) -> None:
    if current_spending.get() is not None:
        connection.info[_STARTED] = perf_counter()


def _after(connection: Connection, *_: Any) -> None:
    started, spending = connection.info.pop(_STARTED, None), current_spending.get()
    if started is not None and spending is not None:
        spending.call(perf_counter() - started)


def _failed(context: ExceptionContext) -> None:
    if context.connection is not None and not context.connection.invalidated:
        _after(context.connection)


def _observe_pool(engine: Engine) -> None:
    """Time `Pool.connect`, which waits for a free connection or makes one: no event precedes it."""
    pool = engine.pool
    connect = pool.connect

    def timed() -> Any:
        spending = current_spending.get()
        if spending is None:
            return connect()
        started = perf_counter()
        try:
            return connect()
        finally:
            spending.wait(perf_counter() - started)

    pool.connect = timed  # type: ignore[method-assign]
