"""What the processes do that `cases_crash` kills, and what each job leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from ...job import JobState
from ..contract import Engine
from ..limits import LimitRule
from ..promotion import Promotion
from ..values import (
    Delivery,
    Item,
    ItemCheck,
    ItemKey,
    ItemWrite,
    NewJob,
    Settlement,
    SettleStatus,
    Work,
)
from .samples import COUNTER, LEASE_SECONDS, START, a_job, an_end, ids, job_id, read_one, take

KILL_AT = 3
"""At which taking of the step: what was acknowledged before must be there, too."""

JOBS = 24
"""How many jobs a scenario accepts, or finds waiting."""

MAILS = 1000
"""The job numbered n enqueues the one numbered `MAILS` + n."""


FIVE = LimitRule(name="five", in_flight=5)
"""What the jobs that are held count against."""


def waiting_jobs() -> list[NewJob]:
    """The jobs that the scenarios are about."""
    return [a_job(number) for number in range(1, JOBS + 1)]


def effect_key(id_: str) -> ItemKey:
    """The item that a job writes when it succeeds."""
    return ItemKey(table="effects", key=id_)


def mail_id(id_: str) -> str:
    """The id of the job that this one enqueues when it succeeds."""
    return job_id(MAILS + int(id_.rpartition("-")[2]))


def an_effect(held: Delivery, at: float, counter: Item | None = None) -> Settlement:
    """A job's success: an item that was absent, an enqueued job, and one more in the counter."""
    key = effect_key(held.job.id)
    checks = [ItemCheck(key=key, version=0)]
    writes = [ItemWrite(key=key, value=b"done")]
    if counter is not None:
        checks.append(ItemCheck(key=COUNTER, version=counter.version))
        total = int(counter.value or b"0") + 1
        writes.append(ItemWrite(key=COUNTER, value=b"%d" % total))
    mail = a_job(id=mail_id(held.job.id), operation="send_mail")
    work = Work(checks=checks, writes=writes, jobs=[mail])
    return Settlement(work=work, finish=an_end(held, JobState.SUCCEEDED, at))


def one_effect(held: Sequence[Delivery], at: float, counter: Item) -> Settlement:
    """The success of several jobs as one: the effects of all, and as many more in the counter."""
    effects = [an_effect(each, at) for each in held]
    total = int(counter.value or b"0") + len(held)
    count = ItemWrite(key=COUNTER, value=b"%d" % total)
    work = Work(
        checks=[
            *(check for effect in effects for check in effect.work.checks),
            ItemCheck(key=COUNTER, version=counter.version),
        ],
        writes=[*(write for effect in effects for write in effect.work.writes), count],
        jobs=[job for effect in effects for job in effect.work.jobs],
    )
    first, *others = [finish for effect in effects for finish in effect.finishes]
    return Settlement(work=work, finish=first, others=others)


async def settle_each(engine: Engine, held: Sequence[Delivery], at: float) -> AsyncIterator[str]:
    """Settle one after the other, each counted; give the ids of those that were settled."""
    for each in held:
        settled = await engine.settle([an_effect(each, at, await read_one(engine))])
        assert [answer.status for answer in settled] == [SettleStatus.DONE]
        yield each.job.id


async def accept(engine: Engine) -> AsyncIterator[str]:
    """Accept jobs, two at a time."""
    jobs = waiting_jobs()
    for pair in zip(jobs[::2], jobs[1::2], strict=True):
        assert list(await engine.accept(pair)) == [True, True]
        for job in pair:
            yield job.id


async def promote(engine: Engine) -> AsyncIterator[str]:
    """Promote calls, two at a time."""
    if not engine.capabilities.promotes_running:
        return
    jobs = waiting_jobs()
    for pair in zip(jobs[::2], jobs[1::2], strict=True):
        wishes = [Promotion(job=job, started=START, lease_seconds=LEASE_SECONDS) for job in pair]
        assert None not in await engine.promote(wishes)
        for job in pair:
            yield job.id


async def settle(engine: Engine) -> AsyncIterator[str]:
    """Receive the waiting jobs and settle one after the other, each counted."""
    while held := await take(engine, 5):
        async for id_ in settle_each(engine, held, START):
            yield id_


async def settle_batches(engine: Engine) -> AsyncIterator[str]:
    """Receive the waiting jobs and settle them two in a call, two calls at a time."""
    while held := await take(engine, 4):
        effects = [an_effect(each, START) for each in held]
        answers = await asyncio.gather(engine.settle(effects[:2]), engine.settle(effects[2:]))
        assert {each.status for answer in answers for each in answer} == {SettleStatus.DONE}
        for id_ in ids(held):
            yield id_


async def settle_together(engine: Engine) -> AsyncIterator[str]:
    """Receive the waiting jobs and end four of them in one write, counted in one item."""
    while held := await take(engine, 4):
        settled = await engine.settle([one_effect(held, START, await read_one(engine))])
        assert [answer.status for answer in settled] == [SettleStatus.DONE]
        for id_ in ids(held):
            yield id_


async def hold(engine: Engine) -> AsyncIterator[str]:
    """Receive jobs and hold them for ever, as many as a limit allows."""
    for id_ in ids(await take(engine, 10, limits=[FIVE])):
        yield id_
    await asyncio.Event().wait()


SCENARIOS: Mapping[str, Callable[[Engine], AsyncIterator[str]]] = {
    "accept": accept,
    "hold": hold,
    "promote": promote,
    "settle": settle,
    "settle_batches": settle_batches,
    "settle_together": settle_together,
}
