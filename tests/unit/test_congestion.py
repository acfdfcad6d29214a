"""Which exceptions say that a database is at its limit: real ones, where they can be had."""

import sqlite3
from contextlib import ExitStack, closing

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from eitherway.congestion import busy


class CodedError(Exception):
    """A driver's exception with a SQLSTATE, under the name that the driver gives it."""

    def __init__(self, name, state):
        super().__init__()
        setattr(self, name, state)


class ClientError(Exception):
    """As botocore raises it."""

    def __init__(self, code):
        super().__init__()
        self.response = {"Error": {"Code": code, "Message": ""}}


@pytest.fixture
def locked(tmp_path):
    """A SQLite file that somebody writes to."""
    path = tmp_path / "locked.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE t (a)")
        holder.execute("BEGIN IMMEDIATE")
        yield path


def test_a_locked_sqlite_is_busy_and_a_wrong_statement_is_not(locked):
    with closing(sqlite3.connect(locked, timeout=0)) as connection:
        with pytest.raises(sqlite3.OperationalError) as refused:
            connection.execute("INSERT INTO t VALUES (1)")
        assert busy(refused.value)
        with pytest.raises(sqlite3.OperationalError) as wrong:
            connection.execute("SELECT nothing FROM nowhere")
        assert not busy(wrong.value)


def test_so_it_is_through_sqlalchemy(locked):
    engine = create_engine(f"sqlite:///{locked}", connect_args={"timeout": 0})
    with engine.connect() as connection, pytest.raises(OperationalError) as refused:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    engine.dispose()
    assert busy(refused.value)


def test_a_stale_snapshot_is_busy(tmp_path):
    """SQLITE_BUSY_SNAPSHOT: an extended code, whose low byte is that of busy."""
    path = tmp_path / "wal.db"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as one,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        one.execute("PRAGMA journal_mode=WAL")
        one.execute("CREATE TABLE t (a)")
        one.execute("BEGIN")
        one.execute("SELECT * FROM t").fetchall()
        other.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.OperationalError) as refused:
            one.execute("INSERT INTO t VALUES (2)")
    assert refused.value.sqlite_errorcode == sqlite3.SQLITE_BUSY_SNAPSHOT
    assert busy(refused.value)


def test_an_exhausted_pool_is_busy(tmp_path):
    engine = create_engine(
        f"sqlite:///{tmp_path / 'a.db'}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=0,
    )
    with engine.connect(), pytest.raises(PoolTimeoutError) as refused:
        engine.connect()
    engine.dispose()
    assert busy(refused.value)


@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
@pytest.mark.parametrize("state", ["53000", "53100", "53200", "53300", "55P03", "57P03"])
def test_these_states_are_busy(name, state):
    assert busy(CodedError(name, state))


@pytest.mark.parametrize("state", ["40001", "40P01", "57014", "57P01", "08006", "23505", "", None])
def test_these_are_not(state):
    assert not busy(CodedError("sqlstate", state))


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"],
)
def test_throttling_by_aws_is_busy(code):
    assert busy(ClientError(code))
    assert not busy(ClientError("ValidationException"))


def test_it_is_found_in_what_the_exception_came_from():
    origin = CodedError("sqlstate", "53300")
    caused, wrapped, meanwhile = RuntimeError(), RuntimeError(), RuntimeError()
    caused.__cause__ = origin
    wrapped.orig = origin
    meanwhile.__context__ = origin
    group = ExceptionGroup("several", [ValueError(), origin])
    assert [busy(error) for error in (caused, wrapped, meanwhile, group)] == [True] * 4


def test_it_is_not_found_in_what_was_put_aside():
    """By `raise ... from None`."""
    error = ValueError()
    error.__context__ = CodedError("sqlstate", "53300")
    assert busy(error)
    error.__suppress_context__ = True
    assert not busy(error)


def test_a_circle_of_causes_has_an_end():
    one, other = RuntimeError(), RuntimeError()
    one.__cause__, other.__cause__ = other, one
    assert not busy(one)


def connect_without_end(postgres, held):
    for _ in range(1000):
        held.enter_context(postgres.connect("postgres"))


@pytest.mark.slow
def test_postgresql_without_a_free_connection_is_busy(postgres):
    """Its code does not come through. A wrong name is refused in the same way, and is not."""
    with ExitStack() as held, pytest.raises(psycopg.OperationalError) as refused:
        connect_without_end(postgres, held)
    assert busy(refused.value)
    with pytest.raises(psycopg.OperationalError) as unknown:
        postgres.connect("no_such_database")
    assert not busy(unknown.value)


@pytest.mark.slow
def test_postgresqls_lock_timeout_is_busy(postgres):
    with postgres.connect("postgres") as holder, postgres.connect("postgres") as other:
        holder.execute("CREATE TABLE IF NOT EXISTS held (a int)")
        with holder.transaction():
            holder.execute("LOCK TABLE held")
            other.execute("SET lock_timeout = 1")
            with pytest.raises(psycopg.OperationalError) as refused:
                other.execute("SELECT * FROM held")
    assert busy(refused.value)
