"""A copy of a store that is in use: whole, or not at all."""

import sqlite3
from contextlib import closing

import pytest

from eitherway import ConfigurationError, EngineError
from eitherway.engine.conformance.samples import a_job, get_one, job_id
from eitherway.engines.sqlite.engine import SqliteEngine


@pytest.fixture
async def engine(tmp_path):
    engine = SqliteEngine(tmp_path / "shop.db")
    await engine.open()
    await engine.accept([a_job(1)])
    yield engine
    await engine.close()


async def jobs_in(path, number):
    copy = SqliteEngine(path)
    await copy.open(create=False)
    try:
        return (await copy.get([job_id(number)]))[0]
    finally:
        await copy.close()


async def test_a_copy_has_what_was_accepted(engine, tmp_path):
    """And the next one, over it, has what came since; nothing else is left lying about."""
    target = tmp_path / "copies" / "shop.db"
    target.parent.mkdir()
    await engine.backup(target)
    assert await jobs_in(target, 1) == await get_one(engine, 1)
    assert await jobs_in(target, 2) is None
    await engine.accept([a_job(2)])
    await engine.backup(target)
    assert await jobs_in(target, 2) == await get_one(engine, 2)
    assert not list(target.parent.glob("*.unfinished"))


async def test_what_is_no_copy_stays(engine, tmp_path):
    """The database itself, another program's file, a folder, a folder that is not there."""
    (tmp_path / "notes.txt").write_text("mine")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t (x)")
    (tmp_path / "link.db").symlink_to(tmp_path / "shop.db")
    for name, says in {
        "shop.db": "the database itself",
        "link.db": "the database itself",
        "notes.txt": "is no backup",
        "other.db": "is no backup",
        ".": "is no backup",
        "no/such/copy.db": "there is no directory",
    }.items():
        with pytest.raises(ConfigurationError, match=says):
            await engine.backup(tmp_path / name)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (await get_one(engine, 1)).id == job_id(1)


async def test_a_damaged_database_gives_no_copy(tmp_path):
    """The older copy stays as it was."""
    engine = SqliteEngine(tmp_path / "shop.db")
    await engine.open()
    await engine.accept([a_job(number, operation="x" * 3000) for number in range(1, 200)])
    await engine.close()
    with (tmp_path / "shop.db").open("r+b") as file:
        file.seek(-200_000, 2)
        file.write(b"\xff" * 100_000)
    target = tmp_path / "copy.db"
    engine = SqliteEngine(tmp_path / "shop.db")
    await engine.open()
    try:
        with pytest.raises(EngineError, match=r"damaged|could not be written"):
            await engine.backup(target)
    finally:
        await engine.close()
    assert not list(tmp_path.glob("copy*"))


async def test_what_is_in_memory_has_no_copy(tmp_path):
    """And a store that is not there is not made by looking at it."""
    engine = SqliteEngine()
    with pytest.raises(ConfigurationError, match="in memory"):
        await engine.backup(tmp_path / "copy.db")
    for nothing in (engine, SqliteEngine(tmp_path / "typo.db")):
        with pytest.raises(ConfigurationError):
            await nothing.open(create=False)
    assert not list(tmp_path.iterdir())
