"""The database's connections and the locks around them: a file's, or one in memory."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

from ...errors import ConfigurationError, EitherwayError, EngineError, EngineUnavailableError
from .files import mounts_text, refuse_network
from .migrations import check_schema, migrate

_BUSY_TIMEOUT_MS = 5000  # against other programs; those of eitherway queue on the lock file
_STATEMENTS_MAX = 256  # that stay compiled: those of many rows come in several lengths
_CHECKPOINT_PAGES = 4000  # 16 MB: the same pages change again and again, and are copied once
_FOR_A_PERSON = frozenset(
    {
        sqlite3.SQLITE_AUTH,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)


class Store(ABC):
    """Where connections come from. One thread writes, the event loop reads."""

    @abstractmethod
    def prepare(self) -> None:
        """Bring the schema up to date, or say what stands in the way."""

    @abstractmethod
    def connect(self) -> sqlite3.Connection:
        """A connection to write or to read with, once prepared."""

    def connect_to_write(self) -> sqlite3.Connection:
        """A connection of which it is known that it can be written through."""
        return self.connect()

    @abstractmethod
    def disconnect(self, connection: sqlite3.Connection) -> None:
        """Let go of a connection, at the end or after an error."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[None]:
        """Held around a transaction."""

    @abstractmethod
    def is_free(self) -> bool:
        """Whether nobody writes at this moment."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[object]:
        """Held around a query."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what the connections do not hold themselves."""


class FileStore(Store):
    """A file that several processes may share."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = Path(f"{path}-lock")
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the file or bring it up to date, alone."""
        if not self._path.parent.is_dir():
            raise ConfigurationError(f"there is no directory {self._path.parent}: make it")
        refuse_network(self._path, mounts_text())
        try:
            with self.writing():
                # Without the pragmas of `connect`, which would change another program's file.
                with closing(_connect(str(self._path))) as connection:
                    check_schema(connection)
                with closing(self.connect_to_write()) as connection:
                    migrate(connection)
        except (sqlite3.Error, OSError, EitherwayError) as error:
            self.close()
            raise self._open_error(error) from error

    def connect(self) -> sqlite3.Connection:
        """A connection that syncs at every commit."""
        connection = _connect(str(self._path))
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise ConfigurationError(  # noqa: TRY301 - closed below, like every error here
                    "SQLite has no shared memory here: use a local disk"
                )
            connection.execute("PRAGMA synchronous = FULL")
            # macOS: its fsync leaves the data in the disk's own cache.
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA cache_size = -32768")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_to_write(self) -> sqlite3.Connection:
        """The same. `sqlite3.OperationalError` where the file is there to be read alone."""
        connection = self.connect()
        try:
            # What a statement might undo goes to a file else, with as many writes as the log's.
            connection.execute("PRAGMA temp_store = MEMORY")
            # SQLite opens such a file all the same, and lets a transaction begin that would write.
            connection.execute("BEGIN")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("ROLLBACK")
        except BaseException:
            connection.close()
            raise
        return connection

    def disconnect(self, connection: sqlite3.Connection) -> None:
        """Close it."""
        connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The lock file, held."""
        # A queue of its own in front of SQLite's lock, which polls with sleeps and starves:
        # with two processes its p99 is 330 ms, this one's 23 (docs/adr/0003-sqlite.md).
        lock = self._opened_lock()
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    def is_free(self) -> bool:
        """Whether the lock file can be had; where it cannot be opened, `writing` says why."""
        try:
            lock = self._opened_lock()
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(lock, fcntl.LOCK_UN)
        return True

    def _opened_lock(self) -> int:
        if self._lock is None:
            self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._lock

    def reading(self) -> AbstractContextManager[object]:
        """Nothing: readers see the last commit and wait for nobody."""
        return nullcontext()

    def close(self) -> None:
        """Let go of the lock file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open_error(self, error: Exception) -> Exception:
        if isinstance(error, ConfigurationError):
            return ConfigurationError(f"{self._path}: {error}")
        if isinstance(error, EitherwayError):
            return error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extended part
        denied = isinstance(error, OSError) and error.errno != errno.ENOSPC
        wanted = "see to it"
        if denied or code == sqlite3.SQLITE_READONLY:
            wanted = "this process must be allowed to write the file and its folder"
        if code in _FOR_A_PERSON or denied:
            return ConfigurationError(f"{self._path} cannot be used ({error}): {wanted}")
        return engine_error(error)


class MemoryStore(Store):
    """One connection for both sides: the same engine without a file."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the one connection."""
        self._connection = _connect(":memory:")
        migrate(self._connection)

    def connect(self) -> sqlite3.Connection:
        """The one connection."""
        if self._connection is None:
            raise EngineError("the engine is not open")
        return self._connection

    def disconnect(self, connection: sqlite3.Connection) -> None:
        """Nothing: another connection would be another database."""

    def writing(self) -> AbstractContextManager[None]:
        """The lock between the two threads, held."""
        return _held(self._lock)

    def is_free(self) -> bool:
        """Whether the other thread is not at it."""
        return not self._lock.locked()

    def reading(self) -> AbstractContextManager[object]:
        """The same lock: one connection has no snapshots of its own."""
        return self._lock

    def close(self) -> None:
        """Close it; all is gone."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def engine_error(error: Exception) -> EitherwayError:
    """What an error of SQLite or of the system means to a caller."""
    if isinstance(error, EitherwayError):
        return error
    if isinstance(error, sqlite3.OperationalError | OSError):
        return EngineUnavailableError(f"sqlite: {error}")
    return EngineError(f"sqlite cannot store this: {error}")


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    with lock:
        yield


def _connect(name: str) -> sqlite3.Connection:
    # Transactions are the writer's; the thread check is off because close() may come from another.
    return sqlite3.connect(
        name,
        isolation_level=None,
        check_same_thread=False,
        timeout=5,
        cached_statements=_STATEMENTS_MAX,
    )
