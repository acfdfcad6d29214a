"""Finds the `await` that a handler forgot: without it a call does nothing, and nobody says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, TypeVar

T = TypeVar("T")
P = TypeVar("P")
Call = Coroutine[Any, Any, T]

_Calls = list[tuple[str, str, Call[Any]]]
_calls: ContextVar[_Calls | None] = ContextVar("calls", default=None)


def to_be_awaited(what: str, call: Call[T], way_out: str = "await it") -> Call[T]:
    """The call itself; an attempt that ends without having begun it fails, naming the way out."""
    calls = _calls.get()
    if calls is not None:
        calls.append((what, way_out, call))
    return call


async def all_awaited(run: Callable[[P], Awaitable[T]], of: P) -> T:
    """What a handler gives. `RuntimeError` at its end for a call that it made and did not await."""
    made: _Calls = []
    token = _calls.set(made)
    try:
        result = await run(of)
    except BaseException:
        _calls.reset(token)
        if made:
            await _check(made, raises=False)
        raise
    _calls.reset(token)
    if made:
        await _check(made, raises=True)
    return result


async def _check(made: _Calls, *, raises: bool) -> None:
    if any(_unbegun(call) for *_, call in made):
        await asyncio.sleep(0)  # those that the handler made tasks of begin now
        forgotten = [text for *text, call in made if _close_unbegun(call)]
        if forgotten and raises:
            what, way_out = forgotten[0]
            raise RuntimeError(f"{what} was not awaited, so it did nothing: {way_out}")


def _unbegun(call: Call[Any]) -> bool:
    return getcoroutinestate(call) == CORO_CREATED


def _close_unbegun(call: Call[Any]) -> bool:
    unbegun = _unbegun(call)
    if unbegun:
        call.close()  # or Python warns of it, later and elsewhere
    return unbegun
