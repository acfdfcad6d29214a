"""`aws smoke`: one request each way to what is deployed, told by status and over the WebSocket."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

from ..errors import ConfigurationError, EitherwayError
from .aws_listening import Listening

_BETWEEN_SECONDS = 1.0
_FINAL = {"succeeded", "failed", "canceled"}


class SmokeError(EitherwayError):
    """What is deployed did not do what it should."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def document(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Smoke:
    """Sends `body`, JSON, to operations below `url`. `SmokeError`, `ConfigurationError`."""

    def __init__(
        self,
        url: str,
        socket: str | None,
        *,
        body: str,
        headers: Sequence[str] = (),
        within_seconds: float = 60.0,
    ) -> None:
        check_url("--url", url, "http", "https")
        if socket is not None:
            check_url("--socket", socket, "ws", "wss")
        if within_seconds <= 0:
            raise ConfigurationError(f"--within {within_seconds:g}: give more than 0 seconds")
        try:
            json.loads(body)
        except ValueError:
            raise ConfigurationError(f"--body {body[:40]!r} is not JSON") from None
        self._url = url.rstrip("/")
        self._socket = socket or self._url.replace("http", "ws", 1) + "/events"
        self._body = body.encode()
        self._headers = dict(_header(one) for one in headers)
        self._seconds = within_seconds

    def direct(self, operation: str) -> str:
        """Call it, and have its answer on the call; a line that says so."""
        started = time.monotonic()
        method, path = _route(operation)
        answer = self._send(method, self._url + path, self._body)
        if not 200 <= answer.status < 300 or answer.status == 202:
            raise SmokeError(f"{operation}: a direct call is answered with {_said(answer)}")
        return f"direct: {operation} {answer.status} in {_since(started)}"

    def queued(self, operation: str) -> Iterator[str]:
        """Have it stored, be told of its end, and see the same by its status; lines that say so."""
        started = time.monotonic()
        method, path = _route(operation)
        answer = self._send(method, self._url + path, self._body)
        if answer.status != 202:
            raise SmokeError(f"{operation}: a queued request is answered with {_said(answer)}")
        document = answer.document()
        receipt = document if isinstance(document, dict) else {}
        job, status_url = str(receipt.get("id", "")), self._status_url(answer, receipt)
        yield f"queued: {operation} 202 in {_since(started)}, job {job}"
        with Listening(self._socket, self._headers, self._seconds) as listening:
            listening.subscribe(job)
            told = listening.end_of(job)
        yield f"told over the WebSocket: {told} after {_since(started)}"
        document = self._until_final(status_url)
        if document["status"] != told:
            raise SmokeError(f"job {job}: told {told}, and its status is {document['status']}")
        if told != "succeeded":
            reason = (document.get("error") or {}).get("detail") or ""
            raise SmokeError(f"job {job} {told}: {reason}")
        yield f"by its status: {document['status']} after {_since(started)}, {status_url}"

    def _status_url(self, answer: _Answer, receipt: dict[str, Any]) -> str:
        location = answer.headers.get("location") or (receipt.get("links") or {}).get("self")
        if not location:
            raise SmokeError("the 202 has no Location, and no link to its job")
        return urljoin(self._url + "/", str(location))

    def _until_final(self, url: str) -> dict[str, Any]:
        end = time.monotonic() + self._seconds
        while True:
            answer = self._send("GET", url, None)
            document = answer.document()
            if (
                answer.status == 200
                and isinstance(document, dict)
                and document.get("status") in _FINAL
            ):
                return document
            if time.monotonic() > end:
                raise SmokeError(f"{url}: not done within {self._seconds:g} s: {_said(answer)}")
            time.sleep(_BETWEEN_SECONDS)

    def _send(self, method: str, url: str, body: bytes | None) -> _Answer:
        headers = dict(self._headers)
        if method in ("GET", "HEAD"):
            body = None
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310
        context = ssl.create_default_context() if url.startswith("https") else None
        try:
            with urllib.request.urlopen(  # noqa: S310 - the scheme was looked at
                request, timeout=self._seconds, context=context
            ) as response:
                return _answer(response)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error)
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error) or "no answer"
            raise SmokeError(f"{method} {url}: {reason}") from None


def check_url(flag: str, url: str, *schemes: str) -> None:
    """`ConfigurationError` unless it has one of these schemes, a host, and a port if any."""
    try:
        address = urlsplit(url)
        is_url = address.scheme in schemes and bool(address.hostname) and address.port != 0
    except ValueError:  # of the port
        is_url = False
    if not is_url or any(character.isspace() for character in url):
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ConfigurationError(f"{flag} {url!r}: give a {wanted} URL")


def _route(operation: str) -> tuple[str, str]:
    method, separator, path = operation.partition(" ")
    if not separator or not method.isupper() or not path.startswith("/"):
        raise ConfigurationError(f"{operation!r}: give a method and a path, such as 'POST /orders'")
    return method, path


def _header(given: str) -> tuple[str, str]:
    name, separator, value = given.partition(":")
    if not separator or not name.strip():
        raise ConfigurationError(f"--header {given!r}: give 'Name: value'")
    return name.strip(), value.strip()


def _answer(response: Any) -> _Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return _Answer(response.status, headers, response.read())


def _said(answer: _Answer) -> str:
    document = answer.document()
    detail = document.get("detail") or document.get("title") if isinstance(document, dict) else None
    return f"{answer.status}: {detail}" if detail else str(answer.status)


def _since(started: float) -> str:
    return f"{time.monotonic() - started:.2f} s"
