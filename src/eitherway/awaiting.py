"""Finds the `await` that a handler forgot: without it a call does nothing, and nobody says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from contextvars import ContextVar, Token
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, TypeVar

T = TypeVar("T")
Call = Coroutine[Any, Any, T]

_Calls = list[tuple[str, str, Call[Any]]]
_calls: ContextVar[_Calls | None] = ContextVar("calls", default=None)


def to_be_awaited(what: str, call: Call[T], way_out: str = "await it") -> Call[T]:
    """The call itself; an attempt that ends without having begun it fails, naming the way out."""
    calls = _calls.get()
    if calls is not None:
        calls.append((what, way_out, call))
    return call


class _Nothing(Awaitable[None]):
    """There is nothing to wait for, and no coroutine is made for it: every handler passes here."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_NOTHING = _Nothing()


class AllAwaited:
    """Around a handler. `RuntimeError` at its end for a call that it made and did not await."""

    __slots__ = ("_made", "_token")

    def __aenter__(self) -> Awaitable[None]:
        self._made: _Calls = []
        self._token: Token[_Calls | None] = _calls.set(self._made)
        return _NOTHING

    def __aexit__(self, kind: type[BaseException] | None, *_: object) -> Awaitable[None]:
        _calls.reset(self._token)
        return self._check(raises=kind is None) if self._made else _NOTHING

    async def _check(self, *, raises: bool) -> None:
        if any(_unbegun(call) for *_, call in self._made):
            await asyncio.sleep(0)  # those that the handler made tasks of begin now
            forgotten = [text for *text, call in self._made if _close_unbegun(call)]
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
