"""What an attempt spends in its database, as SQLAlchemy's engines tell it."""

import asyncio

import pytest
from databases import Database, add, context
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from eitherway import App, Context
from eitherway.spending import Spending, current_spending
from eitherway.sql import create_once_table, observe, once


@pytest.fixture
def spending():
    token = current_spending.set(Spending())
    yield current_spending.get()
    current_spending.reset(token)


@pytest.fixture(params=["plain", "async"])
async def database(request, tmp_path):
    opened = Database(f"sqlite:///{tmp_path / 'shop.db'}", kind=request.param)
    yield opened
    await opened.close()


async def read(database, statement="SELECT 1"):
    async with database.session() as session:
        await database.done(session.execute(text(statement)))


def test_it_adds_up():
    spending = Spending()
    for seconds in (0.25, 0.5):
        spending.call(seconds)
        spending.wait(2 * seconds)
    assert (spending.calls, spending.seconds) == (2, 0.75)
    assert (spending.waits, spending.wait_seconds) == (2, 1.5)


async def test_statements_and_waits_are_told(database, spending):
    observe(database.engine)
    await read(database)
    assert (spending.calls, spending.waits) == (1, 1)
    assert spending.seconds > 0
    assert spending.wait_seconds > 0


async def test_observing_twice_tells_once(database, spending):
    for _ in range(2):
        observe(database.engine)
    observe(database.engine.execution_options(logging_token="again"))
    await read(database)
    assert (spending.calls, spending.waits) == (1, 1)


async def test_a_statement_that_fails_is_told_too(database, spending):
    observe(database.engine)
    with pytest.raises(OperationalError):
        await read(database, "SELECT nothing FROM nowhere")
    assert spending.calls == 1


async def test_a_new_pool_is_told_of_as_well(database, spending):
    """`dispose()` makes one."""
    observe(database.engine)
    await database.done(database.engine.dispose())
    await read(database)
    assert spending.waits == 1


async def test_a_wait_in_vain_is_told(tmp_path, spending):
    opened = Database(f"sqlite:///{tmp_path / 'shop.db'}", kind="plain")
    engine = opened.engine.execution_options()
    pool = QueuePool(opened.engine.pool._creator, pool_size=1, max_overflow=0, timeout=0)
    opened.engine.pool = pool
    observe(engine)
    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    assert spending.waits == 2
    await opened.close()


async def test_nobody_who_listens_is_no_error(database):
    observe(database.engine)
    await read(database)
    assert current_spending.get() is None


async def test_tasks_at_the_same_time_are_told_apart(database):
    """Also in the greenlets of an async engine."""
    observe(database.engine)

    async def attempt(statements):
        current_spending.set(spending := Spending())
        async with database.session() as session:
            for _ in range(statements):
                await database.done(session.execute(text("SELECT 1")))
                await asyncio.sleep(0)
        return spending.calls

    assert await asyncio.gather(*map(attempt, (1, 2, 3))) == [1, 2, 3]


async def test_once_observes_by_itself(database, spending):
    await database.done(create_once_table(database.engine))
    async with database.session() as session:
        await database.done(once(context(), session, database.body(add), session))
    assert spending.calls == 3  # the marker, the body, the result


async def test_a_plain_handler_tells_from_its_thread(tmp_path, test_app):
    """Its thread has the attempt's variables."""
    opened = Database(f"sqlite:///{tmp_path / 'shop.db'}", kind="plain")
    observe(opened.engine)
    told = Spending()

    async def recorded(ctx, proceed):
        current_spending.set(told)
        return await proceed()

    app = App("shop", middleware=[recorded])

    @app.operation()
    def count(ctx: Context) -> int:
        with opened.engine.connect() as connection:
            return connection.scalar(text("SELECT 1"))

    async with test_app(app) as tested:
        await tested.call(count)
    assert (told.calls, told.waits) == (1, 1)
    await opened.close()
