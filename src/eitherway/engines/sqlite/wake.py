"""Wake-ups without polling: futures inside this process, FIFOs to the others on the same file.

Each engine that waits for a topic owns a FIFO `<topic>.<random>` in `<database>-wake/`. Whoever
commits something of that topic writes one byte to each; a FIFO without a reader is a dead
process's and is removed.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ...clock import Clock
from ...engine.waking import Topic, Wake
from ...errors import EngineUnavailableError


class FileWake(Wake):
    """Wakes whoever waits, also in other processes. On the event loop, except `notify_peers`."""

    def __init__(self, directory: Path | None, clock: Clock) -> None:
        super().__init__(clock)
        self._directory = directory  # None: no other process
        self._fifos: dict[Topic, tuple[str, int]] = {}
        self._own: frozenset[str] = frozenset()  # replaced whole: the writer thread reads it

    def listen(self, topic: Topic) -> None:
        """Be woken by other processes too, from now on."""
        if self._directory is None or topic in self._fifos:
            return
        try:
            name, descriptor = _make_fifo(self._directory, topic)
        except OSError as error:
            raise EngineUnavailableError(f"cannot listen in {self._directory}: {error}") from error
        self._fifos[topic] = name, descriptor
        self._own |= {name}
        asyncio.get_running_loop().add_reader(descriptor, self._heard, topic, descriptor)

    def notify_peers(self, topics: Collection[str]) -> None:
        """Wake those who wait in other processes. Called where a group was written; never fails."""
        if self._directory is None or not topics:
            return
        try:
            names = os.listdir(self._directory)  # noqa: PTH208 - names alone, at every commit
        except OSError:  # nobody has ever listened
            return
        for name in names:
            if name.partition(".")[0] in topics and name not in self._own:
                _ring(self._directory / name)

    def close(self) -> None:
        """Stop listening, and let everybody who waits go."""
        super().close()
        for name, descriptor in self._fifos.values():
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)
            if self._directory is not None:
                _remove(self._directory / name)
        self._fifos.clear()

    def _heard(self, topic: Topic, descriptor: int) -> None:
        try:
            os.read(descriptor, 65536)
        except BlockingIOError:
            return
        self.signal([topic])


def _make_fifo(directory: Path, topic: Topic) -> tuple[str, int]:
    directory.mkdir(exist_ok=True)
    # Not from `Randomness`: a seed must not give two processes the same name.
    random = os.urandom(8).hex()
    hidden = directory / f".{random}"
    os.mkfifo(hidden, 0o666)
    try:
        # Open for writing too: otherwise it reads as ended whenever no writer has it open.
        descriptor = os.open(hidden, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        hidden.unlink()
        raise
    # Visible once it has its reader, so that nobody takes it for a dead process's.
    name = f"{topic}.{random}"
    hidden.rename(directory / name)
    return name, descriptor


def _ring(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            _remove(path)
        return
    with suppress(OSError):  # full: its wake-up is pending; broken: it has just gone
        os.write(descriptor, b"\0")
    os.close(descriptor)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
