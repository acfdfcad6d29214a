"""Tables in both deliveries: buffered, seen by their attempt, committed with it or not at all."""

import pytest
from pydantic import BaseModel

from eitherway import App, Conflict, Context, InvalidInputError, JobFailedError, NotFound, Retry
from eitherway.testing import TestApp


class Account(BaseModel):
    name: str
    balance: int = 0


app = App("bank")
accounts = app.table("accounts", Account, key="name")
log = app.table("log", dict, key="id")


@app.operation(retry=Retry(attempts=1))
async def deposit(name: str, amount: int) -> int:
    account = await accounts.get(name, Account(name=name))
    account.balance += amount
    await accounts.put(account)
    seen = await accounts.get(name)
    assert seen.balance == account.balance
    if amount < 0:
        raise RuntimeError("rolled back")
    return seen.balance


@app.operation()
def deposit_plainly(name: str, amount: int) -> int:
    account = accounts.sync.get(name, Account(name=name))
    accounts.sync.put(account.model_copy(update={"balance": account.balance + amount}))
    return accounts.sync.get(name).balance


@app.operation(retry=Retry(attempts=1))
async def open_account(name: str) -> int:
    await accounts.put(Account(name=name), if_absent=True)
    return await accounts.version(name)


@app.operation()
async def swap(name: str, version: int) -> None:
    await accounts.put(Account(name=name, balance=-1), if_version=version)


@app.operation()
async def close_account(name: str) -> None:
    await accounts.delete(name)
    with pytest.raises(NotFound):
        await accounts.get(name)


raced: list[str] = []


@app.operation()
async def copy_checked(source: str, check: bool) -> int:
    """Reads one account and writes another, while somebody changes the first."""
    account = await accounts.get(source, check=check)
    if not raced:
        raced.append(source)
        await interfere(source)
    await accounts.put(Account(name="copy", balance=account.balance))
    return account.balance


async def interfere(name):
    from eitherway.unit import current_unit

    token = current_unit.set(None)  # as another process would: outside this attempt
    try:
        await accounts.put(Account(name=name, balance=99))
    finally:
        current_unit.reset(token)


@app.operation(retry=Retry(attempts=1))
async def fan_out(ctx: Context, amounts: list[int]) -> None:
    for amount in amounts:
        await ctx.enqueue(deposit, "fan", amount)
    ctx.enqueue(deposit_plainly, name="fan", amount=1)
    if not amounts:
        raise RuntimeError("nothing to do")


@app.operation(retry=Retry(attempts=1))
async def write_many(count: int) -> None:
    for number in range(count):
        await log.put({"id": str(number)})


@app.operation(retry=Retry(attempts=1))
async def write_large(size: int) -> None:
    await log.put({"id": "large", "data": "x" * size})


@pytest.fixture
async def bank():
    raced.clear()
    async with TestApp(app, seed=2) as opened:
        yield opened


async def run(bank, handler, *arguments, door):
    """Through either door; the job's result, or its failure."""
    if door == "direct":
        return await bank.call(handler, *arguments)
    job = await bank.enqueue(handler, *arguments)
    await bank.drain()
    return await job.result(0)


both = pytest.mark.parametrize("door", ["direct", "queued"])


@both
async def test_an_attempt_sees_its_own_writes_and_commits_them(bank, door):
    """In `async def` and in plain handlers."""
    assert await run(bank, deposit, "ann", 5, door=door) == 5
    assert await run(bank, deposit_plainly, "ann", 2, door=door) == 7
    assert await accounts.get("ann") == Account(name="ann", balance=7)


@both
async def test_a_failed_attempt_writes_nothing(bank, door):
    """Everything buffered is dropped."""
    with pytest.raises(JobFailedError):
        await run(bank, deposit, "ann", -5, door=door)
    assert await accounts.get("ann", None) is None


@both
async def test_if_absent_answers_409_the_second_time(bank, door):
    """An answer: no retry, no dead letter."""
    assert await run(bank, open_account, "ann", door=door) == 1
    with pytest.raises(JobFailedError) as failure:
        await run(bank, open_account, "ann", door=door)
    assert failure.value.problem["status"] == 409


@both
async def test_if_version_holds_for_that_version_alone(bank, door):
    """Versions count from 1, and never come back, not even after a deletion."""
    await run(bank, open_account, "ann", door=door)
    with pytest.raises(JobFailedError):
        await run(bank, swap, "ann", 2, door=door)
    await run(bank, swap, "ann", 1, door=door)
    assert (await accounts.get("ann")).balance == -1
    await run(bank, close_account, "ann", door=door)
    await run(bank, open_account, "ann", door=door)
    with pytest.raises(JobFailedError):
        await run(bank, swap, "ann", 1, door=door)


@both
async def test_a_checked_read_runs_again_when_the_item_moved(bank, door):
    """And an unchecked one of an item that is only read does not."""
    await accounts.put(Account(name="src", balance=1))
    assert await run(bank, copy_checked, "src", True, door=door) == 99
    raced.clear()
    await accounts.put(Account(name="src", balance=1))
    assert await run(bank, copy_checked, "src", False, door=door) == 1


async def test_a_conflict_is_an_attempt_of_its_own_that_does_not_count(bank):
    """Numbered, with its outcome, before the one that committed."""
    await accounts.put(Account(name="src", balance=1))
    job = await bank.enqueue(copy_checked, "src", True)
    await bank.drain()
    record = await job.record()
    assert [(a.number, a.outcome) for a in record.attempts] == [(1, "conflict"), (2, "succeeded")]
    assert (record.attempt, record.starts) == (1, 2)


async def test_a_hundred_increments_of_one_counter_sum_up(bank):
    """All at once, over both doors' conflicts."""
    jobs = [await bank.enqueue(deposit, "ann", 1) for _ in range(100)]
    await bank.drain()
    assert sorted([await job.result(0) for job in jobs]) == list(range(1, 101))


@both
async def test_enqueued_jobs_are_sent_only_if_the_attempt_commits(bank, door):
    """Four of a success, none of a failure."""
    await run(bank, fan_out, [1, 2, 3], door=door)
    await bank.drain()
    assert (await accounts.get("fan")).balance == 7
    with pytest.raises(JobFailedError):
        await run(bank, fan_out, [], door=door)
    assert await bank.drain() == 0


@both
async def test_one_attempt_past_a_limit_is_its_own_error(bank, door):
    """90 items, and the engine's bytes for one item."""
    await run(bank, write_many, 90, door=door)
    with pytest.raises(JobFailedError):
        await run(bank, write_many, 91, door=door)
    with pytest.raises(JobFailedError):
        await run(bank, write_large, 500_000, door=door)
    assert await log.get("large", None) is None


async def test_outside_a_handler_each_call_is_a_unit_of_its_own(bank):
    """`NotFound`, defaults, wrong items."""
    with pytest.raises(NotFound):
        await accounts.get("nobody")
    assert await accounts.get("nobody", 3) == 3
    assert await accounts.version("nobody") == 0
    await accounts.put(Account(name="eve"))
    with pytest.raises(Conflict):
        await accounts.put(Account(name="eve"), if_absent=True)
    with pytest.raises(InvalidInputError):
        await accounts.put({"balance": "much"})
    await accounts.delete("eve")
    assert await accounts.version("eve") == 0


async def test_what_an_attempt_checks_counts_as_what_it_writes():
    """More than the engine checks in one commit is told where it is asked for."""
    many = App("many")
    seen = many.table("seen", dict, key="id")

    @many.operation()
    async def check(count: int) -> None:
        for number in range(count):
            await seen.get(str(number), None, check=True)
            await seen.put({"id": str(number % 10)})

    async with TestApp(many) as opened:
        most = opened.runtime.engine.capabilities.writes_per_commit_max
        await opened.call(check, most)
        with pytest.raises(JobFailedError, match="check failed") as raised:
            await opened.call(check, most + 1)
    assert raised.value.kind == "error"
