"""Who is alive: each engine that takes leases, or shares of limits, holds the lock on a file.

The kernel lets go of the lock when the process dies, however it dies, so that the others on this
machine need not wait for its leases to lapse.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ...errors import EngineUnavailableError


class Holders:
    """This engine's sign of life, and a look at others' of the same kind. For one thread."""

    def __init__(self, directory: Path | None, kind: str) -> None:
        self._directory = directory  # None: no other process
        self._kind = kind
        self._own: tuple[str, int] | None = None

    def own(self) -> str:
        """The name to take leases under; the sign of life is there from now on.

        `EngineUnavailableError` where it cannot be made.
        """
        if self._directory is None:
            return ""
        if self._own is None:
            try:
                self._own = _make(self._directory, self._kind)
            except OSError as error:
                raise EngineUnavailableError(f"cannot make {self._directory}: {error}") from error
        return self._own[0]

    def dead(self) -> list[str]:
        """The names of those that died holding their lock."""
        if self._directory is None:
            return []
        own = self.own()
        return [
            path.name
            for path in self._directory.glob(f"{self._kind}.*")
            if path.name != own and _is_free(path)
        ]

    def alive(self) -> int | None:
        """How many hold their lock, this engine included; None where no other process could."""
        if self._directory is None:
            return None
        own = 0 if self._own is None else 1
        return own + sum(
            not _is_free(path)
            for path in self._directory.glob(f"{self._kind}.*")
            if self._own is None or path.name != self._own[0]
        )

    def bury(self, names: Iterable[str]) -> None:
        """Remove what is left of the dead, once their leases are known to be over."""
        for name in names:
            if self._directory is not None:
                (self._directory / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave without a trace."""
        if self._own is not None:
            name, descriptor = self._own
            self._own = None
            self.bury([name])
            os.close(descriptor)


def _make(directory: Path, kind: str) -> tuple[str, int]:
    directory.mkdir(exist_ok=True)
    # Not from `Randomness`: a seed must not give two processes the same name.
    name = f"{kind}.{os.urandom(8).hex()}"
    hidden = directory / f".{name}"
    descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    # Locked before it is seen, so that nobody takes it for a dead process's.
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    hidden.rename(directory / name)
    return name, descriptor


def _is_free(path: Path) -> bool:
    with suppress(OSError):  # gone meanwhile: its engine closed, or somebody else buried it
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        finally:
            os.close(descriptor)
    return False
