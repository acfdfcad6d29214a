"""`eitherway.sql.once`: with both kinds of sessions, on SQLite and on a real PostgreSQL."""

import asyncio
import importlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from databases import Database, add, context, counters
from pydantic import BaseModel
from sqlalchemy import create_engine, event, select, update
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Session

from eitherway import App, ConfigurationError, Context, Retry
from eitherway.sql import create_once_table, forget, once, once_table, requires
from eitherway.testing import Crash

POSTGRES = pytest.param("postgresql", marks=pytest.mark.slow)


class Receipt(BaseModel):
    number: int


class OopsError(Exception):
    """Something goes wrong in a handler."""


@pytest.fixture(params=["sqlite", POSTGRES])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture(params=["plain", "async"])
async def bare(request, url):
    """Without the table of markers."""
    database = Database(url, kind=request.param)
    yield database
    await database.close()


@pytest.fixture
async def database(bare):
    await bare.done(create_once_table(bare.engine))
    return bare


async def call(database, body=add, *args, job="job", **options):
    """`once`, in a session of its own."""
    async with database.session() as session:
        counted = once(context(job), session, database.body(body), session, *args, **options)
        return await database.done(counted)


# -- once --------------------------------------------------------------------------------------


async def test_a_repeated_attempt_gets_the_result_and_runs_nothing(database):
    assert await call(database) == 1
    assert await call(database) == 1
    assert database.count() == 1


async def test_each_job_counts_for_itself(database):
    assert [await call(database, job=job) for job in "abc"] == [1, 2, 3]


async def test_a_name_tells_the_bodies_of_one_handler_apart(database):
    assert [await call(database, name=name) for name in ("first", "second", "first")] == [1, 2, 1]


async def test_the_body_gets_its_arguments(database):
    def add_many(session, times) -> int:
        return [add(session) for _ in range(times)][-1]

    assert await call(database, add_many, 3) == 3


async def test_the_result_comes_back_as_its_type(database):
    """From the body itself, and from its marker."""

    def print_receipt(session) -> Receipt:
        return Receipt(number=add(session))

    results = [await call(database, print_receipt) for _ in range(2)]
    assert results == [Receipt(number=1)] * 2


async def test_an_untyped_result_is_what_json_makes_of_it_both_times(database):
    def untyped(session):
        return add(session), "a"

    assert [await call(database, untyped) for _ in range(2)] == [[1, "a"]] * 2


async def test_none_is_a_result(database):
    def add_quietly(session) -> None:
        add(session)

    assert [await call(database, add_quietly) for _ in range(2)] == [None, None]
    assert database.count() == 1


async def test_an_error_undoes_everything_and_the_next_attempt_runs(database):
    def fail(session) -> int:
        add(session)
        raise OopsError

    with pytest.raises(OopsError):
        await call(database, fail)
    assert (database.count(), database.rows(once_table)) == (0, [])
    assert await call(database) == 1


async def test_a_begin_block_commits_by_itself(database):
    async with database.session() as session:
        async with database.block(session):
            await database.done(once(context(), session, database.body(add), session))
            assert database.count() == 0
        assert database.count() == 1
    assert await call(database) == 1


async def test_a_begin_block_that_fails_undoes_the_marker_too(database):
    async with database.session() as session:
        with pytest.raises(OopsError):  # noqa: PT012 - raised within the block
            async with database.block(session):
                await database.done(once(context(), session, database.body(add), session))
                raise OopsError
    assert database.rows(once_table) == []
    assert await call(database) == 1


async def test_an_error_that_a_begin_block_swallows_undoes_it_all_the_same(database):
    def fail(session) -> int:
        add(session)
        raise OopsError

    async with database.session() as session, database.block(session):
        with pytest.raises(OopsError):
            await database.done(once(context(), session, database.body(fail), session))
    assert (database.count(), database.rows(once_table)) == (0, [])


async def test_a_repeated_attempt_leaves_a_begin_block_to_go_on(database):
    await call(database)
    async with database.session() as session, database.block(session):
        await database.done(once(context(), session, database.body(add), session))
        await database.done(session.execute(update(counters).values(value=7)))
    assert database.count() == 7


async def test_it_commits_also_after_a_read(database):
    """Which has begun a transaction by itself."""
    async with database.session() as session:
        await database.done(session.execute(select(counters)))
        assert await database.done(once(context(), session, database.body(add), session)) == 1
    assert database.count() == 1


async def test_what_was_written_before_it_is_not_repeated(database):
    """It is in the marker's commit, so a repeated attempt takes it back."""
    for _ in range(2):
        async with database.session() as session:
            await database.done(session.execute(update(counters).values(value=10)))
            assert await database.done(once(context(), session, database.body(add), session)) == 11
    assert database.count() == 11


async def test_the_marker_is_the_first_write(database):
    statements = []
    engine = database.engine.sync_engine if database.is_async else database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    await call(database)
    assert [statement.split()[0] for statement in statements] == ["INSERT", "UPDATE", "UPDATE"]
    assert "eitherway_once" in statements[0]


# -- races -------------------------------------------------------------------------------------


async def test_of_attempts_at_the_same_time_one_runs(database):
    """The others wait for it, and get its result."""
    if database.is_async:
        results = await asyncio.gather(*(call(database) for _ in range(4)))
    else:
        barrier, results = threading.Barrier(4), []

        def attempt():
            with Session(database.engine) as session:
                barrier.wait()
                results.append(once(context(), session, add, session))

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    assert results == [1] * 4
    assert database.count() == 1


@pytest.mark.parametrize("first", ["succeeds", "fails"])
async def test_an_attempt_waits_for_the_one_that_runs(database, first):
    """It has its result if that commits, and runs itself if not."""
    attempts, results = [], []

    def second():
        with Session(database.reader) as session:
            results.append(once(context(), session, add, session))

    def watched(session) -> int:
        attempts.append(threading.Thread(target=second))
        attempts[0].start()
        database.until_somebody_waits()
        if first == "fails":
            raise OopsError
        return 10 + add(session)

    if first == "fails":
        with pytest.raises(OopsError):
            await call(database, watched)
    else:
        assert await call(database, watched) == 11
    await asyncio.to_thread(attempts[0].join)
    assert results == [1 if first == "fails" else 11]
    assert database.count() == 1


def attempt_after_a_read(engine, everybody_has_read):
    with Session(engine) as session:
        session.execute(select(counters)).all()
        everybody_has_read.wait()
        return once(context(), session, add, session)


@pytest.mark.slow
def test_a_snapshot_may_fail_an_attempt_but_repeats_nothing(postgres):
    """In REPEATABLE READ who has waited cannot see the result: it fails, and its retry can."""
    database = Database(postgres.new_database(), kind="plain")
    create_once_table(database.engine)
    engine = database.engine.execution_options(isolation_level="REPEATABLE READ")
    both = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        attempts = [threads.submit(attempt_after_a_read, engine, both) for _ in range(2)]
    (failure,) = filter(None, [attempt.exception() for attempt in attempts])
    assert failure.orig.sqlstate == "40001"
    assert attempt_after_a_read(engine, threading.Barrier(1)) == database.count() == 1
    database.engine.dispose()
    database.reader.dispose()


def test_sqlite_waits_after_a_read_if_transactions_begin_immediately(tmp_path):
    """With a plain BEGIN it would not: `database is locked`."""
    database = Database(f"sqlite:///{tmp_path / 'shop.db'}", kind="plain")
    event.listen(database.engine, "connect", leave_transactions_to_us)
    event.listen(database.engine, "begin", begin_as_a_writer)
    create_once_table(database.engine)
    alone = threading.Barrier(1)
    with ThreadPoolExecutor(4) as threads:
        attempts = [threads.submit(attempt_after_a_read, database.engine, alone) for _ in range(4)]
    assert [attempt.result() for attempt in attempts] == [1] * 4
    database.engine.dispose()
    database.reader.dispose()


def leave_transactions_to_us(connection, record):
    connection.isolation_level = None


def begin_as_a_writer(connection):
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def test_an_attempt_that_is_cancelled_undoes_everything(url):
    """Timed out, or given back."""
    database = Database(url, kind="async")
    await create_once_table(database.engine)
    has_added = asyncio.Event()

    async def stay(session) -> int:
        await session.run_sync(add)
        has_added.set()
        return await asyncio.Event().wait()

    async with database.session() as session:
        attempt = asyncio.create_task(once(context(), session, stay, session))
        await has_added.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    assert (database.count(), database.rows(once_table)) == (0, [])
    assert await call(database) == 1
    await database.close()


# -- refusals ----------------------------------------------------------------------------------


async def test_a_missing_table_is_one_line_that_says_what_to_run(bare):
    with pytest.raises(ConfigurationError, match=r"create_once_table\(engine\)") as refused:
        await call(bare)
    assert "\n" not in str(refused.value)


def test_an_unknown_dialect_is_refused():
    engine = create_engine("sqlite://")
    engine.dialect = mysql.dialect()
    refused = pytest.raises(ConfigurationError, match="knows postgresql and sqlite, not mysql")
    with Session(engine) as session, refused:
        once(context(), session, add, session)


async def test_a_result_that_is_not_json_commits_nothing(database):
    def strange(session):
        add(session)
        return object()

    with pytest.raises(TypeError, match="strange: the result does not fit JSON"):
        await call(database, strange)
    assert (database.count(), database.rows(once_table)) == (0, [])


async def test_a_result_above_256_kib_commits_nothing(database):
    def long(session) -> str:
        add(session)
        return "x" * 256 * 1024

    with pytest.raises(ValueError, match="262146 bytes, of 262144 allowed"):
        await call(database, long)
    assert (database.count(), database.rows(once_table)) == (0, [])


async def test_a_result_that_its_json_would_not_give_back_commits_nothing(database):
    """Better now than when it is needed."""

    def infinite(session) -> float:
        add(session)
        return float("inf")

    with pytest.raises(TypeError, match="infinite: the result does not fit JSON"):
        await call(database, infinite)
    assert database.rows(once_table) == []


async def test_a_type_that_pydantic_does_not_know_is_refused_before_anything_runs(database):
    def typed(session) -> Session:
        return session

    with pytest.raises(ConfigurationError, match="typed: its result cannot be kept as JSON"):
        await call(database, typed)


async def test_a_body_of_the_wrong_kind_is_refused(database):
    async def coroutine():
        return 1

    body = (lambda: 1) if database.is_async else coroutine
    async with database.session() as session:
        with pytest.raises(ConfigurationError, match="body"):
            await database.done(once(context(), session, body))
    assert database.rows(once_table) == []


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_a_body_cannot_end_the_transaction(database, end):
    """A commit would part its effect from its marker."""

    def ending(session) -> int:
        add(session)
        getattr(session, end)()
        return 1

    with pytest.raises(ConfigurationError, match="the body of once"):
        await call(database, ending)
    assert (database.count(), database.rows(once_table)) == (0, [])


async def test_a_body_may_use_savepoints(database):
    def careful(session) -> int:
        with pytest.raises(OopsError), session.begin_nested():  # noqa: PT012 - raised within it
            add(session)
            raise OopsError
        with session.begin_nested():
            return add(session)

    assert [await call(database, careful) for _ in range(2)] == [1, 1]
    assert database.count() == 1


async def test_within_a_savepoint_it_is_refused(database):
    async with database.session() as session, database.block(session):
        await database.done(session.begin_nested())
        with pytest.raises(ConfigurationError, match="begin_nested"):
            await database.done(once(context(), session, database.body(add), session))


async def test_without_transactions_it_is_refused(url):
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    create_once_table(engine)
    with Session(engine) as session, pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
        once(context(), session, add, session)
    engine.dispose()


def test_a_context_of_several_jobs_is_refused(tmp_path):
    """Its id is that of one of them: when another runs again alone, its marker would be missing."""

    class ContextOfMany(Context):
        pass

    batch = context()
    batch.__class__ = ContextOfMany
    with pytest.raises(ConfigurationError, match="the context of one job, not a ContextOfMany"):
        once(batch, Session(), add)


def test_without_sqlalchemy_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r'pip install "eitherway\[sql\]"'):
        importlib.reload(requires)


def test_what_is_no_session_is_refused():
    with pytest.raises(ConfigurationError, match="an AsyncSession or a Session, not int"):
        once(context(), 1, add)


# -- the table ---------------------------------------------------------------------------------


async def test_making_the_table_twice_does_no_harm(database):
    await call(database)
    await database.done(create_once_table(database.engine))
    assert len(database.rows(once_table)) == 1


async def test_forget_deletes_what_is_older(database):
    """By the clock of the database."""
    for job in "ab":
        await call(database, job=job)
    with database.reader.begin() as connection:
        old = datetime.now(UTC) - timedelta(seconds=5000)
        connection.execute(update(once_table).where(once_table.c.job_id == "a").values(created=old))
    async with database.session() as session:
        assert await database.done(forget(session, 5100)) == 0
        assert await database.done(forget(session, 4900)) == 1
    assert [row[0] for row in database.rows(once_table)] == ["b"]
    assert await call(database, job="b") == 2


async def test_forget_wants_an_age(database):
    async with database.session() as session:
        with pytest.raises(ValueError, match="above the deadline of your jobs"):
            forget(session, 0)


# -- in an app ---------------------------------------------------------------------------------


def shop(database):
    """An app whose one handler counts, and an app.table beside it."""
    app = App("shop")
    seen = app.table("seen", dict, key="job")

    @app.operation(delivery="queued", retry=Retry(base_seconds=1, jitter="none"))
    async def count(ctx: Context) -> int:
        counted = await call(database, job=ctx.job_id)
        await seen.put({"job": ctx.job_id, "counted": counted})
        return counted

    return app, count, seen


async def test_both_deliveries_count_once(database, test_app):
    app, count, _ = shop(database)
    async with test_app(app) as tested:
        assert await tested.call(count) == 1
        job = await tested.enqueue(count)
        await tested.drain()
        assert await job.result(0) == database.count() == 2
    assert [row[0] for row in database.rows(once_table)][1:] == [job.id]


async def test_a_crash_after_its_commit_and_before_the_jobs_own_counts_once(database, test_app):
    """The job runs again, gets the stored result, and commits its own table with it."""
    app, count, seen = shop(database)
    async with test_app(app) as tested:
        job = await tested.enqueue(count)
        tested.crash_at("settle.begun")
        with pytest.raises(Crash):
            await tested.drain()
        assert database.count() == 1
        assert await seen.get(job.id, None) is None
        await tested.advance(16)
        await tested.drain()
        assert await job.result(0) == database.count() == 1
        assert (await seen.get(job.id))["counted"] == 1


async def test_each_item_of_a_batch_counts_once(database, test_app):
    """With the context of the item; that of the batch is refused."""
    app = App("shop")

    @app.operation(batch_max=10, retry=Retry(attempts=1))
    async def count(numbers: list[int], ctx: Context) -> list[int | Exception]:
        counted: list[int | Exception] = []
        for position, number in enumerate(numbers):
            with ctx.item(position) as one:
                async with database.session() as session:
                    given = one if number else ctx
                    try:
                        body = database.body(add)
                        counted.append(await database.done(once(given, session, body, session)))
                    except ConfigurationError as error:
                        counted.append(error)
        return counted

    async with test_app(app) as tested:
        jobs = [await tested.enqueue(count, number) for number in (1, 2, 0)]
        tested.crash_at("settle.begun")
        with pytest.raises(Crash):
            await tested.drain()
        await tested.advance(16)
        await tested.drain()
        assert sorted([await job.result(0) for job in jobs[:2]]) == [1, 2]
        assert (await jobs[2].record()).state == "failed"
    assert database.count() == 2


async def test_a_plain_handler_counts_in_its_thread(url, test_app):
    database = Database(url, kind="plain")
    create_once_table(database.engine)
    app = App("shop")

    @app.operation(delivery="queued")
    def count(ctx: Context) -> int:
        with Session(database.engine) as session:
            return once(ctx, session, add, session)

    async with test_app(app) as tested:
        job = await tested.enqueue(count)
        await tested.drain()
        assert await job.result(0) == database.count() == 1
    await database.close()
