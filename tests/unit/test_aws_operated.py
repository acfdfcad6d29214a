"""What operators ask of the engine on AWS, beyond the contract: counts, lists, letters, keys."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from eitherway.engine.conformance.harness import soon
from eitherway.engine.conformance.key_samples import USE, a_keyed_job, a_wish, end, hold
from eitherway.engine.conformance.samples import (
    START,
    a_death,
    a_job,
    a_redrive,
    die,
    job_id,
    ready,
    settle,
    statistics_of,
    take,
    take_one,
)
from eitherway.engine.idempotency import KeyHold
from eitherway.engine.listing import JobFilter
from eitherway.engine.values import Message
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.aws import listing
from eitherway.engines.aws.engine import AwsEngine
from eitherway.engines.aws.mending import EVERY_SECONDS, LOOKS
from eitherway.errors import EngineError
from eitherway.job import JobState
from eitherway.problem import Answer

pytestmark = pytest.mark.slow  # each request goes to a server of moto's

LARGE = b'"' + b"x" * 20_000 + b'"'


async def look(engine: AwsEngine, clock: VirtualClock, times: int) -> None:
    for _ in range(times):
        await clock.advance(EVERY_SECONDS)
        await engine.purge(1)


async def test_what_a_crash_left_uncounted_is_put_right(
    engine: AwsEngine, clock: VirtualClock
) -> None:
    await engine.accept([a_job(number, deadline=START + 9999) for number in range(1, 6)])
    await die(engine, 6, operation="send_mail")
    counters = engine._opened().counters
    counters.correct("place_order", JobState.QUEUED, 3)  # claims that were never counted
    counters.correct("send_mail", "dead", -1)
    counters.correct("send_mail", JobState.FAILED, -1)
    await counters.flush()
    assert list(await engine.waiting(["place_order"])) == [8]
    await look(engine, clock, LOOKS - 1)
    assert list(await engine.waiting(["place_order"])) == [8]
    await look(engine, clock, 1)
    assert list(await engine.waiting(["place_order"])) == [5]
    letters = await statistics_of(engine, "send_mail")
    assert (letters.dead, letters.counts[JobState.FAILED]) == (1, 1)
    await look(engine, clock, 2 * LOOKS)
    assert list(await engine.waiting(["place_order"])) == [5]


async def test_a_count_that_is_late_once_is_left_alone(
    engine: AwsEngine, clock: VirtualClock
) -> None:
    await engine.accept([a_job(number, deadline=START + 9999) for number in range(1, 6)])
    counters = engine._opened().counters
    for by in (2, -2, 1, -1):
        counters.correct("place_order", JobState.QUEUED, by)
        await counters.flush()
        await look(engine, clock, 1)
    assert list(await engine.waiting(["place_order"])) == [5]


async def test_counts_that_cannot_be_stored_go_with_the_next(
    engine: AwsEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = engine._opened().store
    monkeypatch.setattr(store, "items", "nowhere")
    assert list(await engine.accept([a_job(1)])) == [True]
    assert "counts are late" in caplog.text
    monkeypatch.undo()
    await engine.accept([a_job(2)])
    assert list(await engine.waiting(["place_order"])) == [2]


async def test_a_large_message_is_edited_with_its_letter(engine: AwsEngine) -> None:
    for number, payload in enumerate((LARGE, b"1", LARGE), 1):
        await engine.accept([a_job(number, message=Message(payload=payload))])
        await settle(engine, a_death(await take_one(engine)))
    edited = [Message(payload=each) for each in (b"2", LARGE + b" ", LARGE + b"  ")]
    redrives = [a_redrive(number, message=one) for number, one in enumerate(edited, 1)]
    assert list(await engine.redrive(redrives)) == [True] * 3
    assert [each.message for each in await take(engine)] == edited


async def test_of_two_large_edits_the_one_that_is_sent_is_kept(engine: AwsEngine) -> None:
    await die(engine)
    edited = [Message(payload=LARGE + b" " * place) for place in range(4)]
    answers = await asyncio.gather(*(engine.redrive([a_redrive(message=one)]) for one in edited))
    sent = [one for one, (answer,) in zip(edited, answers, strict=True) if answer]
    assert [each.message for each in await take(engine)] == sent


async def test_a_page_looks_at_so_many_and_goes_on(
    engine: AwsEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT_MAX", 3)
    await engine.accept([a_job(number) for number in range(1, 9)])
    await take(engine, 1)
    wanted = JobFilter(states=[JobState.RUNNING])
    page = await engine.list(wanted, None, 10)
    assert (list(page.jobs), page.cursor is None) == ([], False)
    found = []
    while page.cursor is not None:
        page = await engine.list(wanted, page.cursor, 10)
        found += [job.id for job in page.jobs]
    assert found == [job_id(1)]


@pytest.mark.parametrize("cursor", ["", "7", "x#y", "1800000000000", "1800000000000#a b"])
async def test_a_cursor_that_is_none_is_refused(engine: AwsEngine, cursor: str) -> None:
    with pytest.raises(EngineError, match="no cursor"):
        await engine.list(JobFilter(), cursor, 10)


async def test_a_key_may_be_long_and_its_answer_large(engine: AwsEngine) -> None:
    use = replace(USE, key="ключ" * 2000)
    held = await hold(engine, 1, use)
    answer = Answer(200, "application/octet-stream", b"\xff" * 250_000)
    await end(engine, held, answer)
    (record,) = await engine.keys([use.key])
    assert record is not None
    assert record.answer == answer


async def test_a_key_that_was_purged_fences_its_old_holder(
    engine: AwsEngine, clock: VirtualClock
) -> None:
    use = replace(USE, expires=START + 1)
    held = await hold(engine, 1, use)
    await clock.advance(60)
    await engine.purge(10)
    later = await hold(engine, 2, replace(use, expires=START + 999))
    assert later.token == held.token
    (record,) = await engine.claim([a_wish(1, use, token=held.token)])
    assert not isinstance(record, KeyHold)
    own = a_keyed_job(1, replace(use, token=held.token))
    assert list(await engine.accept([own])) == [False]


async def test_who_reads_a_pause_as_it_ends_learns_of_the_end(engine: AwsEngine) -> None:
    """What was read before the resumption, and arrives after it, is not believed for a second."""
    read, resumed = threading.Event(), threading.Event()

    def arrive_late(**_: Any) -> None:
        read.set()
        assert resumed.wait(10)

    await engine.accept([a_job()])
    await engine.pause(["place_order"], paused=True)
    events = engine._opened().store.dynamo.meta.events
    events.register("after-call.dynamodb.BatchGetItem", arrive_late)
    waiting = asyncio.create_task(ready(engine, ["place_order"], 3600))
    assert await asyncio.to_thread(read.wait, 10)
    await engine.pause(["place_order"], paused=False)
    resumed.set()
    assert list(await soon(waiting)) == ["place_order"]
