"""What is SQLite's own; all that the contract says is in the conformance kit."""

from __future__ import annotations

import asyncio
import fcntl
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from eitherway.clock import SystemClock
from eitherway.engine.listing import JobFilter
from eitherway.engine.values import (
    Delivery,
    Demand,
    Finish,
    ItemKey,
    ItemWrite,
    Message,
    NewJob,
    Overdue,
    Redrive,
    Settlement,
    Work,
)
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.engines.sqlite.files import path_of, refuse_network
from eitherway.engines.sqlite.migrations import MIGRATIONS, migrate
from eitherway.engines.sqlite.queries import QUERIES
from eitherway.errors import (
    ConfigurationError,
    EngineError,
    EngineUnavailableError,
    TransitionError,
)
from eitherway.job import FailureKind, JobState


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
async def engine(path: Path) -> AsyncIterator[SqliteEngine]:
    engine = SqliteEngine(path)
    await engine.open()
    yield engine
    await engine.close()


@pytest.fixture
async def other(path: Path, engine: SqliteEngine) -> AsyncIterator[SqliteEngine]:
    other = SqliteEngine(path)
    await other.open()
    yield other
    await other.close()


def new_job(
    job_id: str = "a", *, after: float = 0, deadline: float = 1000, payload: bytes = b"{}"
) -> NewJob:
    now = SystemClock().now()
    return NewJob(
        id=job_id,
        operation="orders.place",
        version=1,
        message=Message(payload=payload),
        created=now,
        due=now + after,
        deadline=now + deadline,
        attempts_max=5,
    )


def demand(count: int = 10, version_max: int = 1) -> Demand:
    return Demand(operation="orders.place", version_max=version_max, count=count, lease_seconds=15)


def wants(operation: str = "orders.place") -> Demand:
    return Demand(operation=operation, version_max=1, count=1, lease_seconds=15)


def ends(delivery: Delivery | Overdue, state: JobState = JobState.SUCCEEDED) -> Finish:
    return Finish(
        lease=delivery.lease,
        state=state,
        at=SystemClock().now(),
        attempt=1,
        starts=1,
        attempts=(),
    )


# URLs and files


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///shop.db", Path("shop.db")),
        ("sqlite:///data/shop.db", Path("data/shop.db")),
        ("sqlite:////var/lib/shop.db", Path("/var/lib/shop.db")),
        ("sqlite://:memory:", None),
        ("sqlite:///:memory:", None),
    ],
)
def test_a_url_names_a_file_as_in_sqlalchemy(url: str, expected: Path | None) -> None:
    assert path_of(url) == expected


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite://shop.db", "sqlite:///data/", "sqlite:///a.db?mode=ro",
     "postgresql:///a.db"],
)  # fmt: skip
def test_a_url_that_names_no_file_is_refused_with_the_three_right_forms(url: str) -> None:
    with pytest.raises(ConfigurationError, match="sqlite:///relative"):
        path_of(url)


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt nfs4 rw 0 0
/dev/sdb1 /mnt/local ext4 rw 0 0
host /mnt/my\\040share fuse.sshfs rw 0 0
tmpfs /over tmpfs rw 0 0
//server/share /over cifs rw 0 0
"""


@pytest.mark.parametrize("path", ["/mnt/shop.db", "/mnt/my share/a/b.db", "/over/shop.db"])
def test_a_network_file_system_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="put the file on a local disk"):
        refuse_network(Path(path), MOUNTS)


@pytest.mark.parametrize("path", ["/shop.db", "/mnt/local/shop.db", "/mntx/shop.db", "shop.db"])
def test_a_local_file_system_is_not(path: str) -> None:
    refuse_network(Path(path), MOUNTS)


async def refusal(path: Path) -> str:
    engine = SqliteEngine(path)
    with pytest.raises(ConfigurationError) as caught:
        await engine.open()
    await engine.close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    assert "there is no directory" in await refusal(tmp_path / "nowhere" / "shop.db")


async def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)
    assert "not a database" in await refusal(path)


async def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir()
    assert "cannot be used" in await refusal(path)


async def test_another_programs_database_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE job (mine TEXT)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in await refusal(path)
    assert path.read_bytes() == before


async def test_a_newer_database_is_refused_and_left_alone(path: Path) -> None:
    engine = SqliteEngine(path)
    await engine.open()
    await engine.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    assert "upgrade eitherway" in await refusal(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    newest = int(MIGRATIONS[-1].name[:4])
    broken = tmp_path / f"{newest + 1:04d}_broken.sql"
    broken.write_text("CREATE TABLE extra (a);\nCREATE TABLE extra (a);")
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, [*MIGRATIONS, broken])
    assert connection.execute("PRAGMA user_version").fetchone() == (newest,)
    assert connection.execute("SELECT * FROM sqlite_master WHERE name = 'extra'").fetchall() == []
    broken.write_text("CREATE TABLE extra (a);")
    migrate(connection, [*MIGRATIONS, broken])
    migrate(connection, [*MIGRATIONS, broken])
    assert connection.execute("PRAGMA user_version").fetchone() == (newest + 1,)
    connection.close()


# Plans: a million waiting jobs must not be looked at


SMALL = (  # a row for each of a few; the subquery has its own LIMIT
    "found",
    "tally",
    "paused",
    "clock",
    "sqlite_sequence",
    "CONSTANT ROW",
    "(subquery-1)",
    "json_each VIRTUAL TABLE INDEX 1:",  # the ids that are asked for
)


def test_no_query_scans_or_sorts() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    for name, query in QUERIES.items():
        values: object = dict.fromkeys(re.findall(r":(\w+)", query), 1)
        values = values or (1,) * query.count("?")
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
        wrong = [
            step
            for step in plan
            if (
                "SCAN" in step
                and not name.startswith("step_")
                and step.removeprefix("SCAN ") not in SMALL
            )
            or ("TEMP B-TREE" in step and name != "list_held")  # what is held is never much
        ]
        # When the clock was set, which is rare, all that waits is moved.
        # max() of a primary key walks to its end only; the plan calls that a search.
        assert not wrong, f"{name}: {plan}"
    connection.close()


# Errors


async def test_a_full_disk_stores_nothing_and_the_engine_works_again_afterwards(
    engine: SqliteEngine, path: Path
) -> None:
    await engine.accept([new_job("before")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What the log file has now is all that any file may have.
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, hard))
    try:
        tasks = [engine.accept([new_job(name)]) for name in "abc"]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [EngineUnavailableError] * 3
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert await engine.get(["a"]) == [None]
    assert await engine.accept([new_job("a"), new_job("before")]) == [True, False]


async def test_a_database_that_another_program_locks_is_unavailable(
    engine: SqliteEngine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eitherway.engines.sqlite.store._BUSY_TIMEOUT_MS", 1)
    await engine.close()
    await engine.open()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(EngineUnavailableError, match="locked"):
        await engine.accept([new_job()])
    connection.close()
    assert await engine.accept([new_job()]) == [True]


@contextmanager
def another_writes(path: Path) -> Iterator[None]:
    """The lock file is held, as by another process."""
    with Path(f"{path}-lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def test_what_comes_while_another_process_writes_joins_the_group_that_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    engine = SqliteEngine(path, at_step=steps.append)
    await engine.open()
    asked = threading.Event()
    flock = fcntl.flock

    def telling(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX:
            asked.set()
        flock(descriptor, operation)

    with another_writes(path):
        monkeypatch.setattr(fcntl, "flock", telling)
        first = asyncio.ensure_future(engine.accept([new_job("first")]))
        await asyncio.to_thread(asked.wait)
        second = asyncio.ensure_future(engine.accept([new_job("second")]))
        for _ in range(5):  # turns in which it is submitted and handed over
            await asyncio.sleep(0)
    assert await first == await second == [True]
    await engine.close()
    assert steps.count("accept.committed") == 1


async def test_one_callers_mistake_is_not_the_others(engine: SqliteEngine) -> None:
    wrong = engine.accept([new_job("\ud800")])
    right = engine.accept([new_job("right")])
    outcomes = await asyncio.gather(wrong, right, return_exceptions=True)
    assert type(outcomes[0]) is EngineError
    assert outcomes[1] == [True]


async def test_an_illegal_transition_is_its_callers_alone(engine: SqliteEngine) -> None:
    await engine.accept([new_job("a"), new_job("b")])
    first, second = await engine.receive([demand()])
    write = ItemWrite(key=ItemKey(table="t", key="k"), value=b"1")
    illegal = Settlement(work=Work(writes=[write]), finish=ends(first, JobState.SCHEDULED))
    outcomes = await asyncio.gather(
        engine.settle([Settlement(finish=ends(first)), illegal]),
        engine.settle([Settlement(finish=ends(second))]),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], TransitionError)
    records = await engine.get(["a", "b"])
    assert [record.state for record in records] == [JobState.RUNNING, JobState.SUCCEEDED]
    assert (await engine.read([write.key]))[0].version == 0


async def test_a_closed_engine_says_so(path: Path) -> None:
    engine = SqliteEngine(path)
    with pytest.raises(EngineError, match="not open"):
        await engine.accept([new_job()])
    await engine.open()
    await engine.open()
    accepting = asyncio.ensure_future(engine.accept([new_job()]))
    waiting = asyncio.ensure_future(engine.ready([wants("nothing")], 60))
    await asyncio.sleep(0)  # both have begun
    await engine.close()
    await engine.close()
    assert await accepting == [True]
    assert list(await waiting) == []
    with pytest.raises(EngineError, match="not open"):
        await engine.get(["a"])
    await engine.open()
    assert [record.id for record in await engine.get(["a"])] == ["a"]
    await engine.close()


# Jobs past their deadline, and jobs of a newer version


async def test_late_jobs_are_set_aside_at_once_and_found_by_the_reaper(path: Path) -> None:
    clock = VirtualClock(SystemClock().now())
    engine = SqliteEngine(path, clock=clock)
    await engine.open()
    await engine.accept([new_job(f"late{n}", deadline=5) for n in range(20)])
    await clock.advance(6)
    await engine.accept([new_job("good", deadline=500)])
    assert [delivery.job.id for delivery in await engine.receive([demand(1)])] == ["good"]
    assert list(await engine.ready([wants()], 0)) == []
    taken = await engine.overdue(100, 15)
    assert {taken.job.state for taken in taken} == {JobState.QUEUED}
    assert len(taken) == 20
    await engine.close()


async def test_a_scheduled_job_that_expires_unseen_was_queued_meanwhile(path: Path) -> None:
    clock = VirtualClock(SystemClock().now())
    engine = SqliteEngine(path, clock=clock)
    await engine.open()
    cursor = (await engine.events(None, 0)).cursor
    await engine.accept([new_job(after=5, deadline=8)])
    await clock.advance(10)
    (taken,) = await engine.overdue(1, 15)
    await engine.settle([Settlement(finish=ends(taken, JobState.FAILED))])
    (record,) = await engine.get(["a"])
    assert record.revision == 3
    states = [(event.sequence, event.state) for event in (await engine.events(cursor, 0)).events]
    assert states == [(1, "scheduled"), (2, "queued"), (3, "failed")]
    await engine.close()


async def test_ready_does_not_call_an_old_worker_for_newer_jobs(engine: SqliteEngine) -> None:
    await engine.accept([new_job()])
    assert list(await engine.ready([demand(version_max=0)], 0)) == []
    assert list(await engine.ready([demand(version_max=1)], 0)) == ["orders.place"]


# Operators


async def test_a_filter_without_an_index_looks_at_so_many_jobs_a_page(
    engine: SqliteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eitherway.engines.sqlite.listing.LOOKED_AT_MAX", 4)
    await engine.accept([new_job(str(number)) for number in range(10)])
    (delivery,) = await engine.receive([demand(1)])
    await engine.settle([Settlement(finish=ends(delivery))])
    wanted, cursor, found = JobFilter(states=[JobState.SUCCEEDED]), None, []
    while True:
        page = await engine.list(wanted, cursor, 2)
        found.append([job.id for job in page.jobs])
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [[], [], ["0"]]


@pytest.mark.parametrize("cursor", ["", "seven", "-7", "9" * 30])
async def test_a_list_refuses_a_cursor_that_is_none(engine: SqliteEngine, cursor: str) -> None:
    with pytest.raises(EngineError, match="no cursor"):
        await engine.list(JobFilter(), cursor, 1)


async def test_scheduled_jobs_that_fell_due_count_as_they_read(path: Path) -> None:
    clock = VirtualClock(SystemClock().now())
    engine = SqliteEngine(path, clock=clock)
    await engine.open()
    await engine.accept([new_job("a", after=5), new_job("b", after=50), new_job("c")])
    await clock.advance(6)
    (found,) = await engine.statistics()
    assert {state: count for state, count in found.counts.items() if count} == {
        JobState.QUEUED: 2,
        JobState.SCHEDULED: 1,
    }
    await engine.close()


async def test_the_tally_is_what_a_recount_says(path: Path) -> None:
    clock, random = VirtualClock(SystemClock().now()), Random(7)
    engine = SqliteEngine(path, clock=clock)
    await engine.open()
    seen: set[tuple[str, str]] = set()
    for number in range(60):
        new = [new_job(f"{number}-{n % 4}", after=random.choice([0, 3])) for n in range(5)]
        held, taken, _ = await asyncio.gather(
            engine.receive([demand(random.randrange(5))]), engine.overdue(2, 5), engine.accept(new)
        )
        states = [JobState.SUCCEEDED, JobState.RETRYING, JobState.QUEUED, JobState.FAILED]
        finishes = [an_end(random, each, random.choice(states), clock.now()) for each in held]
        finishes += [an_end(random, each, JobState.FAILED, clock.now()) for each in taken]
        kept = [finish for finish in finishes if random.random() < 0.8]  # the others lapse
        page = await engine.list(JobFilter(dead=True), None, 2)
        dead = [job.id for job in page.jobs]
        now = clock.now()
        await asyncio.gather(
            engine.settle([Settlement(finish=finish) for finish in kept * 2]),
            engine.discard(dead[:1]),
            engine.redrive(
                [Redrive(job_id=i, at=now, due=now, deadline=now + 99, attempts=1) for i in dead]
            ),
            engine.purge(3),
        )
        await clock.advance(random.choice([0, 1, 20]))
        assert tallied(path) == recounted(path)
        assert left_behind(path) == (0, 0)
        seen |= tallied(path).keys()
    assert len(seen) == 7  # all states but canceled, and the dead
    await engine.close()


def an_end(random: Random, held: Delivery | Overdue, state: JobState, at: float) -> Finish:
    kind = random.choice([*FailureKind, None]) if state is JobState.FAILED else None
    expires = at + 30 if state.done and random.random() < 0.5 else None
    return replace(ends(held, state), at=at, kind=kind, expires=expires)


def tallied(path: Path) -> dict[tuple[str, str], int]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT operation, state, count FROM tally WHERE count != 0 AND state != 'ended'"
        )
        return {(operation, state): count for operation, state, count in rows}


def recounted(path: Path) -> dict[tuple[str, str], int]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT operation, state, count(*) FROM job GROUP BY 1, 2 UNION ALL "
            "SELECT operation, 'dead', count(*) FROM job "
            "WHERE state = 'failed' AND kind IS NOT 'rejected' GROUP BY 1"
        )
        return {(operation, state): count for operation, state, count in rows}


def left_behind(path: Path) -> tuple[int, int]:
    """Messages and events of jobs that are no more."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT (SELECT count(*) FROM message WHERE seq NOT IN (SELECT seq FROM job)), "
            "(SELECT count(*) FROM event WHERE job_seq NOT IN (SELECT seq FROM job))"
        ).fetchone()


# Several processes


CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_sqlite_engine import *

def at_step(name):
    if name == {step!r}:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    engine = SqliteEngine(Path({path!r}), at_step=at_step)
    await engine.open()
{body}
    await engine.close()

asyncio.run(main())
"""


def child(path: Path, body: str, step: str = "") -> subprocess.Popen[str]:
    tests = str(Path(__file__).parent)
    body = textwrap.indent(textwrap.dedent(body), "    ")
    code = CHILD.format(tests=tests, path=str(path), body=body, step=step)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True
    )


def output_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return output


async def test_processes_share_a_file_without_losing_or_doubling(
    engine: SqliteEngine, path: Path
) -> None:
    accept = """
        tasks = [engine.accept([new_job(f"{NAME}-{n}")]) for n in range(300)]
        assert all(await asyncio.gather(*tasks))
    """
    for process in [child(path, accept.replace("NAME", repr(name))) for name in "abc"]:
        output_of(process)
    receive = """
        while deliveries := await engine.receive([demand(7)]):
            print(*[delivery.job.id for delivery in deliveries])
    """
    outputs = [output_of(process) for process in [child(path, receive) for _ in "abc"]]
    received = " ".join(outputs).split()
    assert len(received) == 900
    assert len(set(received)) == 900


async def test_a_large_group_makes_no_temporary_file(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its statements might undo stays in memory, however many pages they change."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = scratch.stat().st_mtime_ns
    monkeypatch.setenv("SQLITE_TMPDIR", str(scratch))
    take_and_settle = """
        await engine.accept([new_job(f"{n:04}") for n in range(1000)])
        deliveries = await engine.receive([demand(1000)])
        await engine.settle([Settlement(finish=ends(each)) for each in deliveries])
        print(len(deliveries))
    """
    assert output_of(child(path, take_and_settle)).strip() == "1000"
    assert scratch.stat().st_mtime_ns == made


async def test_another_process_wakes_those_who_wait(engine: SqliteEngine, path: Path) -> None:
    cursor = (await engine.events(None, 0)).cursor
    waiting = asyncio.gather(engine.ready([wants()], 50), engine.events(cursor, 50))
    await asyncio.sleep(0)  # it has begun to wait
    process = child(path, 'await engine.accept([new_job("a")])')
    ready, page = await asyncio.wait_for(waiting, 30)
    assert list(ready) == ["orders.place"]
    assert [(event.job_id, event.sequence) for event in page.events] == [("a", 1)]
    output_of(process)


async def test_a_dead_listener_is_removed(engine: SqliteEngine, path: Path) -> None:
    killed = child(path, "await engine.events(None, 0)\nos.kill(os.getpid(), signal.SIGKILL)")
    killed.communicate(timeout=60)
    wake = Path(f"{path}-wake")
    assert len(list(wake.iterdir())) == 1
    await engine.ready([wants("x")], 0)
    await engine.accept([new_job()])
    assert len(list(wake.iterdir())) == 1
    await engine.close()
    assert list(wake.iterdir()) == []


async def test_engines_wake_one_another_as_often_as_there_is_work(
    engine: SqliteEngine, other: SqliteEngine
) -> None:
    for number in range(50):
        waiting = asyncio.ensure_future(other.ready([wants()], 50))
        await engine.accept([new_job(str(number))])
        assert list(await asyncio.wait_for(waiting, 10)) == ["orders.place"]
        (delivery,) = await other.receive([demand()])
        await other.settle([Settlement(finish=ends(delivery))])


@pytest.mark.parametrize("step", [step for step in SqliteEngine.STEPS if "accept" in step])
async def test_a_kill_within_accept_leaves_all_or_nothing(path: Path, step: str) -> None:
    process = child(path, 'await engine.accept([new_job("a")])', step)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    engine = SqliteEngine(path)
    await engine.open()
    committed = step in {"accept.committed", "accept.woken"}
    assert [record is not None for record in await engine.get(["a"])] == [committed]
    assert await engine.accept([new_job("a")]) == [not committed]
    assert len(await engine.receive([demand()])) == 1
    await engine.close()


@pytest.mark.parametrize("step", [step for step in SqliteEngine.STEPS if "settle" in step])
async def test_a_kill_within_settle_leaves_all_or_nothing(path: Path, step: str) -> None:
    body = """
        await engine.accept([new_job("a")])
        (delivery,) = await engine.receive([demand()])
        write = ItemWrite(key=ItemKey(table="t", key="k"), value=b"1")
        work = Work(writes=[write], jobs=[new_job("next")])
        await engine.settle([Settlement(work=work, finish=ends(delivery))])
    """
    process = child(path, body, step)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    engine = SqliteEngine(path)
    await engine.open()
    committed = step in {"settle.committed", "settle.woken"}
    (item,) = await engine.read([ItemKey(table="t", key="k")])
    record, enqueued = await engine.get(["a", "next"])
    assert record.state == (JobState.SUCCEEDED if committed else JobState.RUNNING)
    assert item.version == int(committed)
    assert (enqueued is not None) == committed
    assert tallied(path) == recounted(path)
    await engine.close()


@pytest.mark.parametrize("special", [(), (0,), (40, 74), range(75)])
async def test_many_jobs_are_stored_at_once(engine: SqliteEngine, special: Sequence[int]) -> None:
    """Each as it is, and those that are known already are told apart."""
    jobs = [new_job(f"{number:03}", payload=b"%d" % number) for number in range(75)]
    for number in special:
        jobs[number] = replace(jobs[number], owner=f"of {number}", callback="{}")
    again = [jobs[0], jobs[50]]
    assert list(await engine.accept([*jobs, *again])) == [True] * 75 + [False] * 2
    ids = [job.id for job in jobs]
    assert [job and job.owner for job in await engine.get(ids)] == [job.owner for job in jobs]
    messages = await engine.messages(ids)
    assert [message and message.payload for message in messages] == [b"%d" % n for n in range(75)]
