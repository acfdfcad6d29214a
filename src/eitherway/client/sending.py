"""Sends requests until they are answered, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

import httpx

from ..clock import Clock
from ..errors import ConfigurationError
from ..policy import Retry
from .answers import comes_back, problem_of, retry_after_seconds
from .errors import ClientError, NoAnswerError

_CONNECT_SECONDS = 10.0


class Sender:
    """One server, and how patient to be with it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        headers: Mapping[str, str],
        *,
        retry: Retry,
        patience_seconds: float,
        clock: Clock,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{base_url!r} is no address: give http://... or https://...")
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers)
        self._retry = retry
        self._patience_seconds = patience_seconds
        self.clock = clock
        self.uniform = Random().uniform  # noqa: S311 - jitter, not secrets

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        answer_seconds: float,
    ) -> httpx.Response:
        """The answer, whatever it says, to a request that may be sent as often as one likes.

        `NoAnswerError` where there is none, and `ProblemError` where the server puts it off, for
        longer than the client is patient.
        """
        tries = self.tries(f"{method} {path}")
        while True:
            try:
                response = await self._http.request(
                    method,
                    self._url(path),
                    headers={**self._headers, **headers},
                    params=params,
                    content=content,
                    timeout=_timeout(answer_seconds),
                )
            except httpx.TransportError as error:
                await tries.failed(error)
                continue
            if not comes_back(response):
                return response
            await tries.put_off(response)

    def stream(
        self, path: str, headers: Mapping[str, str], silence_seconds: float
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """An answer that comes bit by bit. `httpx.TransportError` when it is cut off."""
        return self._http.stream(
            "GET",
            self._url(path),
            headers={**self._headers, **headers},
            timeout=_timeout(silence_seconds),
        )

    def tries(self, what: str) -> Tries:
        """Failures to count, from now on."""
        return Tries(self, what, self._retry, self._patience_seconds)

    def _url(self, path: str) -> str:
        if not path.startswith("/"):
            raise ConfigurationError(f"{path!r}: a path begins with '/'; the client has the rest")
        return self._base_url + path


class Tries:
    """Counts failures in a row, and pauses after each; gives up past the bounds of its sender."""

    def __init__(self, sender: Sender, what: str, retry: Retry, patience_seconds: float) -> None:
        self._sender = sender
        self._what = what
        self._retry = retry
        self._patience_seconds = patience_seconds
        self.succeeded()

    def succeeded(self) -> None:
        """Begin to count anew."""
        self._failures = 0
        self._since: float | None = None

    async def failed(self, error: httpx.TransportError) -> None:
        """Pause after a failure to get an answer. `NoAnswerError`."""
        text = f"{self._what}: {str(error) or type(error).__name__}"
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            raise NoAnswerError(text) from error  # it will not get better
        try:
            await self._pause(NoAnswerError(text), 0.0)
        except NoAnswerError as gave_up:
            raise gave_up from error

    async def put_off(self, response: httpx.Response) -> None:
        """Pause as long as the answer says, and a bit. `ProblemError`."""
        await self._pause(problem_of(response), retry_after_seconds(response))

    async def _pause(self, failure: ClientError, at_least_seconds: float) -> None:
        now = self._sender.clock.monotonic()
        self._since = now if self._since is None else self._since
        self._failures += 1
        jitter = self._retry.delay_seconds(self._failures, self._sender.uniform)
        pause = at_least_seconds + jitter
        if self._failures >= self._retry.attempts:
            raise failure
        if now + pause - self._since > self._patience_seconds:
            raise failure
        await self._sender.clock.sleep(pause)


def _timeout(read_seconds: float) -> httpx.Timeout:
    return httpx.Timeout(_CONNECT_SECONDS, read=read_seconds, pool=None)
