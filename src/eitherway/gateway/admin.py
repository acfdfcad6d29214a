"""`/admin`: what operators see and do over HTTP. Nobody else comes in: see `access`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import to_json

from ..attempt.operators import Operators
from ..attempt.runtime import Runtime
from ..errors import (
    EngineError,
    InvalidInputError,
    MalformedInputError,
    UnknownJobError,
    UnknownOperationError,
)
from ..problem import Problem
from .access import OperatorAccess
from .admin_page import HEADERS, admin_page
from .admin_requests import Chosen, Named, Page, RedriveWish, body_of, invalid, page_of
from .operator_documents import (
    groups_document,
    inside_document,
    limit_document,
    page_document,
    redriven_document,
    statistics_document,
)
from .routes import Endpoint, Request
from .wire import Header, RefusedError, base_url, respond

T = TypeVar("T", bound=BaseModel)

_HTML = b"text/html; charset=utf-8"
_NO_STORE: list[Header] = [(b"cache-control", b"no-store")]


class Admin:
    """The operators' resources, each behind the same check."""

    def __init__(self, runtime: Runtime, prefix: str) -> None:
        self._runtime = runtime
        self._prefix = prefix
        self.access = OperatorAccess(runtime.settings)
        self._operators = Operators(
            runtime.engine, runtime.clock, runtime.watcher, runtime.operations
        )

    def routes(self) -> Iterator[tuple[str, str, Endpoint]]:
        """Method, path and endpoint of each resource."""
        for method, path, endpoint in (
            ("GET", "/admin", self._page),
            ("GET", "/admin/jobs", self._jobs),
            ("GET", "/admin/jobs/{id}", self._job),
            ("GET", "/admin/dead", self._dead),
            ("GET", "/admin/stats", self._stats),
            ("POST", "/admin/dead/redrive", self._redrive),
            ("POST", "/admin/dead/purge", self._purge),
            ("POST", "/admin/pause", self._pause),
            ("POST", "/admin/resume", self._resume),
        ):
            yield method, self._prefix + path, self._guarded(endpoint)

    def _guarded(self, endpoint: Callable[[Request], Awaitable[Any]]) -> Endpoint:
        async def guarded(request: Request) -> None:
            self.access.check(request)
            try:
                document = await endpoint(request)
            except (UnknownJobError, UnknownOperationError) as error:
                name = "unknown-job" if isinstance(error, UnknownJobError) else "not-found"
                raise RefusedError(Problem.of(name, str(error)), _NO_STORE) from None
            except InvalidInputError as error:
                malformed = isinstance(error, MalformedInputError)
                name = "malformed-input" if malformed else "invalid-input"
                problem = Problem.of(name, str(error), errors=error.errors)
                raise RefusedError(problem, _NO_STORE) from None
            if isinstance(document, bytes):
                body, media_type, headers = document, _HTML, [*_NO_STORE, *HEADERS]
            else:
                body, media_type, headers = to_json(document), b"application/json", _NO_STORE
            await respond(
                request.send, 200, body, media_type=media_type, headers=headers, head=request.head
            )

        return guarded

    # -- looking ---------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Any:
        statistics = (await self._stats(request))["operations"]
        return admin_page(statistics, groups_document(await self._operators.dead()))

    async def _jobs(self, request: Request) -> Any:
        return await self._list(page_of(request), dead=False)

    async def _job(self, request: Request) -> Any:
        inside = await self._operators.job(request.params["id"])
        url = base_url(request.scope, self._runtime.settings.public_url) + self._prefix
        durability = self._runtime.engine.capabilities.durability
        return inside_document(inside, durability, f"{url}/jobs")

    async def _dead(self, request: Request) -> Any:
        page = page_of(request)
        if page.model_fields_set:
            return await self._list(page, dead=True)
        return groups_document(await self._operators.dead())

    async def _list(self, page: Page, *, dead: bool) -> Any:
        wanted = page.filter(dead=dead)
        try:
            found = await self._operators.jobs(wanted, page.cursor, page.count)
        except EngineError as error:
            if page.cursor is None or error.retryable:
                raise
            raise invalid("/cursor", "no cursor of this list") from None
        return page_document(found)

    async def _stats(self, request: Request) -> Any:
        del request
        now = self._runtime.clock.now()
        found = await self._operators.statistics()
        documents = [statistics_document(one, now) for one in found]
        return {
            "workers": await self._operators.workers(),
            "operations": documents,
            "limits": [limit_document(use) for use in await self._operators.limits()],
        }

    # -- acting ----------------------------------------------------------------------------------

    async def _redrive(self, request: Request) -> Any:
        wish = await self._body(request, RedriveWish)
        selection = wish.selection()
        if not wish.edits:
            done = await self._operators.redrive(
                selection,
                per_second=wish.per_second,
                canary=wish.canary,
                canary_seconds=wish.canary_seconds,
            )
            return redriven_document(done)
        if selection.ids is None or len(selection.ids) != 1:
            raise invalid("/payload", "a payload goes with one id")
        await self._operators.edit(selection.ids[0], to_json(wish.payload))
        return {"redriven": 1, "matched": 1, "left": [], "stopped": False, "canary": None}

    async def _purge(self, request: Request) -> Any:
        wish = await self._body(request, Chosen)
        return {"purged": await self._operators.purge(wish.selection())}

    async def _pause(self, request: Request) -> Any:
        return await self._set_paused(request, paused=True)

    async def _resume(self, request: Request) -> Any:
        return await self._set_paused(request, paused=False)

    async def _set_paused(self, request: Request, *, paused: bool) -> Any:
        wish = await self._body(request, Named)
        await self._operators.pause(wish.operation, paused=paused)
        return {"operation": wish.operation, "paused": paused}

    async def _body(self, request: Request, model: type[T]) -> T:
        most = self._runtime.engine.capabilities.payload_bytes_max
        return await body_of(request, model, most)
