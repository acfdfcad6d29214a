"""One POST to an address that the guard has seen: no redirect, no proxy, no second look-up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from ..callback.destination import Destination
from ..clock import Clock
from .guard import Guard

_BODY_BYTES_MAX = 64 * 1024
_BODY_SECONDS = 2.0
_TIMEOUT = httpx.Timeout(None, connect=5.0)  # so that a second address has a turn
_NO_CONNECTION_AGAIN = httpx.Limits(max_keepalive_connections=0)


class UnreachableError(Exception):
    """Nothing was answered; it may work later."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an endpoint answered. Its body is read, for politeness, and dropped."""

    status: int
    retry_after: str | None


class Sender:
    """Sends. TLS trusts certifi's authorities, or those of `SSL_CERT_FILE`."""

    def __init__(self, guard: Guard, clock: Clock) -> None:
        self._guard = guard
        self._clock = clock
        self._trusting: ssl.SSLContext | None = None

    async def post(
        self, destination: Destination, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """Send and give the answer. `UnreachableError`, `DestinationRefusedError`.

        As long as it takes: the attempt's time is the bound.
        """
        try:
            addresses = await self._guard.addresses(destination)
        except OSError as error:
            raise UnreachableError(f"{destination.host} cannot be resolved") from error
        for address in addresses:
            try:
                return await self._post(address, destination, headers, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = error  # perhaps the next address is better
            except httpx.HTTPError as error:
                raise _unreachable(destination, error) from error
        raise _unreachable(destination, failed) from failed

    async def _post(
        self, address: str, destination: Destination, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        url = httpx.URL(
            scheme=destination.scheme,
            host=address,
            port=destination.port,
            raw_path=destination.target.encode(),
        )
        # The certificate is that of the name, though the connection is to its address.
        named = {} if destination.is_address else {"sni_hostname": destination.host}
        transport = httpx.AsyncHTTPTransport(
            verify=await self._tls(destination), trust_env=False, limits=_NO_CONNECTION_AGAIN
        )
        async with (
            httpx.AsyncClient(
                transport=transport,
                trust_env=False,
                follow_redirects=False,
                timeout=_TIMEOUT,
            ) as client,
            client.stream(
                "POST",
                url,
                headers={"host": destination.authority, "accept-encoding": "identity", **headers},
                content=body,
                extensions=named,
            ) as response,
        ):
            await self._drop(response)
            return Reply(response.status_code, response.headers.get("retry-after"))

    async def _tls(self, destination: Destination) -> ssl.SSLContext:
        if destination.scheme != "https":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and is not used
        if self._trusting is None:  # to read the authorities takes a while: once, and not here
            self._trusting = await asyncio.to_thread(httpx.create_ssl_context)
        return self._trusting

    async def _drop(self, response: httpx.Response) -> None:
        """Read the body for a moment, so that an endpoint can finish; what it is, is no matter."""
        reading = asyncio.ensure_future(_read(response))
        try:
            await self._clock.wait(reading, _BODY_SECONDS)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
                await reading


async def _read(response: httpx.Response) -> None:
    size = 0
    async for chunk in response.aiter_raw():
        size += len(chunk)
        if size >= _BODY_BYTES_MAX:
            return


def _unreachable(destination: Destination, error: Exception) -> UnreachableError:
    return UnreachableError(
        f"{destination.host} cannot be reached: {error or type(error).__name__}"
    )
