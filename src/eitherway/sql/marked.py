"""`once`: a body that runs under a marker, in the same transaction as the marker."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, ParamSpec, TypeVar, overload

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import ConfigurationError
from .markers import Marker, dialect_of
from .ownership import begun_by_user, check_transaction, uncommitted
from .results import Result
from .schema import once_table
from .timing import observe

P = ParamSpec("P")
T = TypeVar("T")


@overload
def once(
    ctx: Context,
    session: AsyncSession,
    body: Callable[..., Awaitable[T]],
    *args: Any,
    name: str,
    **kwargs: Any,
) -> Coroutine[Any, Any, T]: ...
@overload
def once(
    ctx: Context, session: Session, body: Callable[..., T], *args: Any, name: str, **kwargs: Any
) -> T: ...
@overload
def once(
    ctx: Context,
    session: AsyncSession,
    body: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Coroutine[Any, Any, T]: ...
@overload
def once(
    ctx: Context, session: Session, body: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T: ...


def once(  # type: ignore[misc]  # a body that takes a `name` of its own is not the last overload's
    ctx: Context,
    session: AsyncSession | Session,
    body: Callable[..., Any],
    *args: Any,
    name: str = "",
    **kwargs: Any,
) -> Any:
    """Run `body(*args, **kwargs)` exactly once for this job, in the session's own transaction.

    Await it with an `AsyncSession` and an `async def` body; a `Session` takes a plain one. The
    result is kept as JSON beside the effect, in one commit: an attempt that comes again gets it,
    and the body does not run. Of two attempts at the same time one waits for the other. Where a
    handler has several bodies, each has a `name`.

    Commits, unless in a `begin()` block, which commits itself; rolls back on any exception.
    `ConfigurationError` where it cannot be promised; `TypeError` or `ValueError`, and nothing
    committed, when the result is not JSON or above 256 KiB.
    """
    if type(ctx) is not Context:  # a batch's has the id of one of its jobs
        raise ConfigurationError(
            f"once() takes the context of one job, not a {type(ctx).__name__}: in a batch handler, "
            "that of the item"
        )
    turn = _Turn(Marker(ctx.job_id, name), Result(body))
    call = partial(body, *args, **kwargs)
    if isinstance(session, AsyncSession):
        return _run_async(turn, session, call)
    if isinstance(session, Session):
        return _run(turn, session, call)
    raise ConfigurationError(
        f"once() takes an AsyncSession or a Session, not {type(session).__name__}"
    )


def _run(turn: _Turn, session: Session, call: Callable[[], Any]) -> Any:
    try:
        if not turn.begin(session):
            return turn.repeat(session)
        with uncommitted(session):
            value = _plain(call())
        return turn.end(session, value)
    except BaseException:
        session.rollback()
        raise


async def _run_async(turn: _Turn, session: AsyncSession, call: Callable[[], Any]) -> Any:
    try:
        if not await session.run_sync(turn.begin):
            return await session.run_sync(turn.repeat)
        with uncommitted(session.sync_session):
            value = await _awaitable(call())
        return await session.run_sync(turn.end, value)
    except BaseException:
        await session.rollback()
        raise


def _plain(value: Any) -> Any:
    if inspect.iscoroutine(value):
        value.close()
        raise ConfigurationError("once() with a Session takes a plain body, not async def")
    return value


def _awaitable(value: Any) -> Awaitable[Any]:
    if not inspect.isawaitable(value):
        raise ConfigurationError("once() with an AsyncSession takes an async def body")
    return value


class _Turn:
    """One attempt's turn at a body. Each step works on a plain session, whoever runs it."""

    def __init__(self, marker: Marker, result: Result) -> None:
        self._marker = marker
        self._result = result
        self._commits = True

    def begin(self, session: Session) -> bool:
        """Set the marker, before any other write; False if the body has been run."""
        dialect_of(session)
        observe(session.get_bind(clause=once_table).engine)
        self._commits = not begun_by_user(session)
        check_transaction(session)
        return self._marker.set(session)

    def end(self, session: Session, value: Any) -> Any:
        """Keep the result and commit. What is returned is what a repetition would return."""
        kept, decoded = self._result.encode(value)
        self._marker.fill(session, kept)
        if self._commits:
            session.commit()
        return decoded

    def repeat(self, session: Session) -> Any:
        """The result of the time when it ran. What else this attempt wrote is not repeated."""
        kept = self._marker.read(session)
        if self._commits:
            session.rollback()
        if kept is None:
            raise RuntimeError("the marker of this job has no result: somebody has changed it")
        return self._result.decode(kept)
