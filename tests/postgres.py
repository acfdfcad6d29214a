"""A real PostgreSQL, started and stopped by the tests, on a socket in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from typing import Self

import psycopg

from tools import missing, tool

_DEBIAN = Path("/usr/lib/postgresql")  # where Debian has its programs: not on the PATH
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "40",
}


class Postgres:
    """One server, a new database for each test. As root it refuses to run: then as `postgres`."""

    def __init__(self, fsync: str = "off") -> None:
        self._settings = {**_SETTINGS, "fsync": fsync}  # what is tested is not the disk
        newest = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))[-1:]
        self._programs = Path(tool("pg_ctl", among=newest)).resolve().parent
        self._user = _other_user() if os.geteuid() == 0 else None
        self._numbers = count(1)

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.data = self.folder / "data"
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")  # it knows the pid from the data folder
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the server on its data; returns once it answers."""
        options = " ".join(f"-c {name}='{value}'" for name, value in self._settings.items())
        options += f" -c unix_socket_directories='{self.folder}'"
        self._run("pg_ctl", "start", "--wait", "--log", str(self.folder / "log"), "-o", options)

    def url(self, database: str) -> str:
        """For SQLAlchemy, plain and async alike."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def connect(self, database: str) -> psycopg.Connection:
        """A connection that commits each statement."""
        return psycopg.connect(
            host=str(self.folder), dbname=database, user="postgres", autocommit=True
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments, "--pgdata", self.data],
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=(output := tempfile.TemporaryFile()),  # noqa: SIM115 - a server keeps it open
            stderr=output,
            check=False,
        )
        output.seek(0)
        assert done.returncode == 0, output.read().decode()
        output.close()


def _other_user() -> str:
    if not any(user.pw_name == "postgres" for user in pwd.getpwall()):
        missing("a user `postgres` is missing, and PostgreSQL does not run as root")
    return "postgres"
