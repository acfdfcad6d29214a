"""The shop, served by a real `eitherway run` in processes of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from client import Client

_HERE = Path(__file__).parent
_ANNOUNCEMENT = " is served at "
_READY_SECONDS_MAX = 30.0
_STOP_SECONDS_MAX = 40.0  # the app's own drain takes at most 30


class StartError(Exception):
    """The shop did not start; says why in one line."""

    def __init__(self, line: str, exit_code: int) -> None:
        super().__init__(line)
        self.exit_code = exit_code


@asynccontextmanager
async def shop_served(
    port: int, *, target: Sequence[str], log_lines_shown: bool
) -> AsyncIterator[str]:
    """Serve the target on a fresh database while the block runs; gives its URL. `StartError`."""
    with TemporaryDirectory(prefix="eitherway-demo-", ignore_cleanup_errors=True) as folder:
        child = await _start(target, port, folder)
        log = _Log(child, shown=log_lines_shown)
        try:
            url = await log.url()
            await _until_ready(url)
            yield url
        finally:
            await _stop(child)
            await log.ended


async def _start(target: Sequence[str], port: int, folder: str) -> Process:
    command = ["run", *target, "--port", str(port), "--engine", f"sqlite:///{folder}/shop.db"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("EITHERWAY_")}
    own["EITHERWAY_LOG_LEVEL"] = "error"  # attempts that fail are to be seen on the page, not here
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(_HERE / "leash.py"),
        *command,
        cwd=_HERE,  # where the app is found
        env=own,
        stdin=PIPE,  # the leash
        stderr=PIPE,
        start_new_session=True,  # Ctrl-C reaches us alone; we tell the child
    )


class _Log:
    """What the child says: the last lines are kept, its address is taken from them."""

    def __init__(self, child: Process, *, shown: bool) -> None:
        self._child = child
        self._shown = shown
        self._lines: deque[str] = deque(maxlen=20)
        self._url: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.create_task(self._follow())

    async def url(self) -> str:
        """Where the child listens, once it does. `StartError`."""
        if (url := await self._url) is not None:
            return url
        raise StartError("".join(self._lines).strip(), await self._child.wait())

    async def _follow(self) -> None:
        stream = self._child.stderr
        while stream and (line := (await stream.readline()).decode(errors="replace")):
            self._lines.append(line)
            _, found, url = line.partition(_ANNOUNCEMENT)
            if found and not self._url.done():
                self._url.set_result(url.strip())
            elif self._shown and self._url.done():  # before that, it is why it did not start
                sys.stderr.write(line)
        if not self._url.done():
            self._url.set_result(None)


async def _until_ready(url: str) -> None:
    client = Client(url, connections_max=1)
    try:
        async with asyncio.timeout(_READY_SECONDS_MAX):
            while True:
                if (await client.request("GET", "/readyz")).status == 200:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise StartError(f"{url}/readyz is not ready after {_READY_SECONDS_MAX:g} s", 1) from None
    finally:
        client.close()


async def _stop(child: Process) -> None:
    if child.returncode is None:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), _STOP_SECONDS_MAX)
        except TimeoutError:
            child.kill()
            await child.wait()
