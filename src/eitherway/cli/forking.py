"""Children by fork: they share what this process has loaded, and serve a moment later.

Only before there is an event loop, and where the app's modules have started no thread and opened no
file: a child would have neither the thread nor a connection of its own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from pathlib import Path

_STDIN = 0


class Forked:
    """A child process, as `asyncio.subprocess.Process` has it. Used on one event loop."""

    def __init__(self, pid: int, leash: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._leash = leash  # closes when this process ends, and then the child drains
        self._descriptor = os.pidfd_open(pid)
        self._ended: asyncio.Event | None = None

    async def wait(self) -> int | None:
        """Return once it has ended: its exit code, or minus the signal."""
        if self._ended is None:
            self._ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(self._descriptor, self._reap, self._ended)
        await self._ended.wait()
        return self.returncode

    def terminate(self) -> None:
        """Tell it to drain."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def _reap(self, ended: asyncio.Event) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        os.close(self._descriptor)
        os.close(self._leash)
        ended.set()


class Forks:
    """Makes children of this process."""

    def __init__(self) -> None:
        self._leashes: list[int] = []
        gc.freeze()  # a collection in a child would write to all the pages that it shares

    def start(self, command: Sequence[str], body: Callable[[], None]) -> Forked:
        """A child that runs `body`, which does not return, and is seen as `eitherway COMMAND`."""
        sys.stdout.flush()
        sys.stderr.flush()
        theirs, ours = os.pipe()
        self._leashes.append(ours)
        pid = os.fork()
        if pid:
            os.close(theirs)
            return Forked(pid, ours)
        for leash in self._leashes:  # or nobody would see their other end close
            os.close(leash)
        os.dup2(theirs, _STDIN)
        os.close(theirs)
        os.setsid()  # Ctrl-C reaches the parent alone, which tells its children
        _be_seen_as(["eitherway", *command])
        body()
        raise AssertionError("a child's body leaves the process")


class Footprint:
    """What a fork of this process would lack, or would have to share with it: threads, files."""

    def __init__(self) -> None:
        self._files = _entries("fd")

    def bars_forks(self) -> bool:
        """Whether there are threads, or other open files than at first; or nobody can tell."""
        if not self._files or not hasattr(os, "pidfd_open"):
            return True
        return self._files != _entries("fd") or len(_entries("task")) > 1


def _entries(what: str) -> Set[str]:
    """The names of this process's threads, or files, as Linux lists them; none where it is not."""
    folder = Path("/proc/self") / what
    return {entry.name for entry in folder.iterdir()} if folder.exists() else set()


def _be_seen_as(command: Sequence[str]) -> None:
    """Have `ps` show this command, as if it had been started: where Linux keeps the arguments."""
    name = b"".join(os.fsencode(word) + b"\0" for word in command)
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # proc(5): arg_start and arg_end
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(name[: end - start - 1].ljust(end - start, b"\0"))
