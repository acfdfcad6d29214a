"""An app that counts what comes through its two doors, whoever sent it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from eitherway import App

Message = MutableMapping[str, Any]
_JOBS_MAX = 100_000


class Tally:
    """What became of the requests to one path, by the answers that their callers got."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.accepted = self.refused = self.failed = self.in_progress = self.retried = 0
        self._jobs: list[str] = []

    def note(self, answer: Message) -> None:
        """Count an answer by its status."""
        status = answer["status"]
        if status == 503:
            self.refused += 1
        elif status >= 500:
            self.failed += 1
        elif status < 300:
            self.accepted += 1
            for name, value in answer["headers"]:
                if name == b"location" and len(self._jobs) < _JOBS_MAX:
                    self._jobs.append(value.decode("latin-1").rpartition("/")[2])

    @contextmanager
    def attempt(self, number: int = 1) -> Iterator[None]:
        """Count an attempt of the handler while it lasts."""
        self.retried += number > 1
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1

    def jobs_after(self, position: int, count_max: int) -> tuple[list[str], int]:
        """Ids of the jobs accepted since a position, oldest first, and the position after them."""
        jobs = self._jobs[position : position + count_max]
        return jobs, position + len(jobs)

    def counts(self) -> dict[str, int]:
        """The counts now."""
        return {
            "accepted": self.accepted,
            "refused": self.refused,
            "failed": self.failed,
            "running": self.in_progress,
            "retried": self.retried,
        }


class CountedApp(App):
    """An app with a direct and a queued path to the same thing, each with its tally."""

    def __init__(self, name: str, *, direct: str, queued: str) -> None:
        super().__init__(name)
        self.direct, self.queued = Tally(direct), Tally(queued)

    def tally(self, way: str) -> Tally:
        """The tally of `direct` or `queued`."""
        return self.direct if way == "direct" else self.queued

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve a request as an `App` does, and count its answer."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        for tally in (self.direct, self.queued):
            if posted and scope["path"] == tally.path:
                return await super().__call__(scope, receive, _counted(send, tally))
        return await super().__call__(scope, receive, send)


def _counted(
    send: Callable[[Message], Awaitable[None]], tally: Tally
) -> Callable[[Message], Awaitable[None]]:
    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            tally.note(message)
        await send(message)

    return counted
