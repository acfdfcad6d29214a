"""Finds out where a name leads before anything is sent there, on every attempt."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ..callback.addresses import Network, refusal
from ..callback.destination import Destination
from ..errors import EitherwayError

_LOOKUPS_MAX = 64

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, for a port. `OSError` where there are none."""


class DestinationRefusedError(EitherwayError):
    """A callback may not go there; for operators alone, who may allow it and redrive."""


class SystemResolver:
    """As the system does it: hosts file, DNS. On threads of its own: a slow server holds one."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS_MAX, thread_name_prefix="callback-lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses, best first, each once."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Guard:
    """Lets callbacks through to public addresses, and to the networks that were allowed."""

    def __init__(self, networks: Sequence[Network], resolve: Resolve | None = None) -> None:
        self._networks = networks
        self._resolve = resolve or SystemResolver()

    async def addresses(self, destination: Destination) -> Sequence[str]:
        """Where to connect to: these addresses, and no name again. `OSError` where there are none.

        `DestinationRefusedError` as soon as one of them is none of the public's: a name that also
        leads inside is nobody's to call.
        """
        try:
            found = await self._resolve(destination.host, destination.port)
        except UnicodeError:
            raise DestinationRefusedError(f"{destination.host} is no name") from None
        if not found:
            raise OSError(f"{destination.host} has no address")
        for address in found:
            why = refusal(address, self._networks)
            if why is not None:
                raise DestinationRefusedError(
                    f"{destination.host} leads to {address}, which is {why}: "
                    "allow its network with EITHERWAY_CALLBACK_NETWORKS, if it is to be called"
                )
        return found
