"""What the engine on AWS promises beyond the contract: taking by hints, large parts, throttles."""

import asyncio
import hashlib
import json
import sys
from dataclasses import replace

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from aws import REGION
from eitherway import App, Reject, Retry
from eitherway.attempt.settler import Settler
from eitherway.clock import SystemClock
from eitherway.congestion import busy
from eitherway.engine.conformance.harness import as_time_passes, soon
from eitherway.engine.conformance.key_samples import end as end_key
from eitherway.engine.conformance.key_samples import hold as hold_key
from eitherway.engine.conformance.samples import (
    COUNTER,
    LEASE_SECONDS,
    START,
    a_demand,
    a_job,
    an_end,
    commit,
    get_one,
    ids,
    job_id,
    put,
    read_one,
    settle,
    take,
    take_new,
)
from eitherway.engine.idempotency import KeyUse
from eitherway.engine.loader import load_engine
from eitherway.engine.values import (
    Delivery,
    Lease,
    Message,
    Settled,
    Settlement,
    SettleStatus,
)
from eitherway.engine.virtual_clock import VirtualClock
from eitherway.engines.aws import names
from eitherway.engines.aws.engine import AwsEngine
from eitherway.engines.aws.taking import Hint
from eitherway.engines.aws.writes import Write, is_same, refusals
from eitherway.errors import ConfigurationError, EngineError, EngineUnavailableError
from eitherway.ids import Randomness
from eitherway.job import JobState, Outcome
from eitherway.problem import Answer
from eitherway.testing import TestApp


def a_hint(number: int = 1, **changes) -> Hint:
    values = {"job_id": job_id(number), "operation": "place_order", "version": 1}
    return Hint(**values | changes)


async def take_hints(engine: AwsEngine, *hints: Hint, **demand):
    return await engine.take(hints, [a_demand(**demand)])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("aws://", "names no region"),
        ("aws://Ireland/shop", "names no region"),
        ("aws://eu-west-1/my_shop", "is no prefix"),
        ("aws://eu-west-1/shop?x=1", "is not aws://REGION"),
    ],
)
def test_a_wrong_url_says_what_is_right(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load_engine(url, clock=SystemClock(), randomness=Randomness())


def test_without_its_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("eitherway.engines.aws")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'eitherway\[aws\]'"):
        load_engine(f"aws://{REGION}", clock=SystemClock(), randomness=Randomness())


@pytest.mark.slow
async def test_tables_that_are_not_there_are_one_line(stack_url: str, prefix: str) -> None:
    engine = load_engine(stack_url, clock=SystemClock(), randomness=Randomness())
    with pytest.raises(ConfigurationError, match=f"no table {prefix}-.* in {REGION}") as refused:
        await engine.open(create=False)
    assert "\n" not in str(refused.value)


def test_names_fit_and_are_apart() -> None:
    operations = ["place_order", "place-order", "a.b", "a-b", "é", "x" * 200, "x" * 201, "-dead"]
    queues = {names.queue("shop", name, alone=alone) for name in operations for alone in (0, 1)}
    queues.add(names.queue("shop", "place_order-alone"))
    queues.add(names.dead_queue("shop"))
    assert len(queues) == 2 * len(operations) + 2
    assert all(
        len(queue) <= 80 and queue.replace("_", "-").replace("-", "a").isalnum() for queue in queues
    )
    assert names.queue("shop", "place_order") == "shop_place_order"


@pytest.mark.slow
async def test_a_hint_is_taken_once(engine: AwsEngine) -> None:
    await engine.accept([a_job(1)])
    first, twice = await take_hints(engine, a_hint(), a_hint())
    assert first.delivery is not None
    assert first.delivery.job == await get_one(engine)
    assert twice.drop
    assert twice.delivery is None
    (again,) = await take_hints(engine, a_hint())
    assert again.drop
    assert again.delivery is None


@pytest.mark.slow
async def test_hints_without_reason_are_dropped(engine: AwsEngine, clock: VirtualClock) -> None:
    """Unknown, ended, past its deadline, for others to run alone."""
    held = await take_new(engine, 1)
    await settle(engine, an_end(held, JobState.SUCCEEDED, START))
    await engine.accept([a_job(2, deadline=START + 1)])
    suspect = await take(engine, 1)
    await settle(engine, an_end(suspect[0], JobState.QUEUED, START, suspect=True))
    await engine.accept([a_job(3, deadline=START + 1)])
    await clock.advance(1)
    taken = await take_hints(engine, *(a_hint(number) for number in (1, 2, 3, 4)))
    assert [(each.drop, each.delivery) for each in taken] == [(True, None)] * 4


@pytest.mark.slow
async def test_hints_for_later_say_when(engine: AwsEngine) -> None:
    """Not due, of a newer version, of an operation that is not asked for."""
    await engine.accept([a_job(1, due=START + 90), a_job(2, version=2), a_job(3, operation="x")])
    early, newer, other = await take_hints(
        engine, a_hint(1), a_hint(2, version=2), a_hint(3, operation="x")
    )
    assert (early.later_seconds, early.drop) == (90, False)
    assert newer.later_seconds
    assert other.later_seconds


@pytest.mark.slow
async def test_a_hint_may_bring_the_job_itself(engine: AwsEngine) -> None:
    """Then the record is made by whoever takes it, and by nobody twice."""
    cursor = (await engine.events(None, 0)).cursor
    new = a_job(1, owner="ada")
    (taken,) = await take_hints(engine, a_hint(new=new))
    assert taken.delivery is not None
    record = await get_one(engine)
    assert taken.delivery.job == record
    assert taken.delivery.message == new.message
    assert (record.state, record.attempt, record.created) == (JobState.RUNNING, 1, START)
    told = (await engine.events(cursor, 0)).events
    assert [each.state for each in told] == [JobState.QUEUED, JobState.RUNNING]
    (again,) = await take_hints(engine, a_hint(new=new))
    assert (again.drop, again.delivery) == (True, None)


@pytest.mark.slow
async def test_a_job_that_comes_too_late_is_recorded_and_expires(
    engine: AwsEngine, clock: VirtualClock
) -> None:
    new = a_job(1, deadline=START + 5)
    await clock.advance(6)
    (taken,) = await take_hints(engine, a_hint(new=new))
    assert (taken.drop, taken.delivery) == (True, None)
    (late,) = await engine.overdue(10, LEASE_SECONDS)
    assert late.job.id == job_id(1)


@pytest.mark.slow
async def test_what_is_large_is_kept_apart_and_whole(engine: AwsEngine, prefix: str) -> None:
    """A record of a payload and an answer as large as they may be fits no item of DynamoDB."""
    size = engine.capabilities.payload_bytes_max
    message = Message(payload=b"p" * size, params=b"{}")
    held = await take_new(engine, message=message)
    assert held.message == message
    late = an_end(held, JobState.FAILED, START, answer=Answer(200, "text/plain", b"late" * 9000))
    answer = Answer(200, "text/plain", b"a" * size)
    done = await settle(engine, an_end(held, JobState.SUCCEEDED, START, answer=answer))
    assert done.status is SettleStatus.DONE
    assert (await settle(engine, late)).status is SettleStatus.LEASE_LOST
    assert (await get_one(engine)).answer == answer
    assert list(await engine.messages([job_id(1)])) == [message]
    again = a_job(message=Message(payload=b"q" * size))
    assert list(await engine.accept([again])) == [False]
    assert list(await engine.messages([job_id(1)])) == [message]


@pytest.mark.slow
async def test_a_hint_that_is_late_is_sent_again(
    engine: AwsEngine, prefix: str, clock: VirtualClock
) -> None:
    """And again, ever more seldom, for as long as the job waits."""
    await engine.accept([a_job(1)])
    assert received(prefix, "place_order") == [job_id(1)]
    sent = []
    for _ in range(20):
        await clock.advance(30)
        assert not await engine.overdue(10, LEASE_SECONDS)
        sent.append(received(prefix, "place_order") == [job_id(1)])
    assert sent[0]
    assert 3 < sum(sent) < 8


@pytest.mark.slow
async def test_a_hint_may_be_faster_than_the_index(engine: AwsEngine, prefix: str) -> None:
    """What the index does not show yet is ready, and received, because a hint names it."""
    await engine.accept([a_job(1)])
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName=names.jobs_table(prefix),
        Key={"id": {"S": job_id(1)}},
        UpdateExpression="REMOVE waits",
    )
    assert not await engine.ready([a_demand()], 0)
    assert list(await soon(engine.ready([a_demand()], 3600))) == ["place_order"]
    assert ids(await take(engine)) == [job_id(1)]


def received(prefix: str, operation: str) -> list[str]:
    """The jobs that the hints of an operation's queue name; they are deleted."""
    sqs = boto3.client("sqs", region_name=REGION)
    url = sqs.get_queue_url(QueueName=names.queue(prefix, operation))["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["job"] for message in messages]


@pytest.mark.slow
async def test_a_throttle_of_a_commit_is_told_as_one(
    engine: AwsEngine, moto_environment: dict[str, str]
) -> None:
    """Nothing is written, the lease holds, and the attempt can end uncounted."""
    held = await take_new(engine)
    throttle(moto_environment, "TransactWriteItems", 2)  # boto3 tries twice
    end = an_end(held, JobState.SUCCEEDED, START)
    settled = await settle(engine, end, put(COUNTER, b"1"))
    assert settled.status is SettleStatus.THROTTLED
    assert settled.wait_seconds > 0
    assert (await read_one(engine)).version == 0
    assert (await settle(engine, end, put(COUNTER, b"1"))).status is SettleStatus.DONE


@pytest.mark.slow
async def test_a_throttle_of_anything_else_is_for_now(
    engine: AwsEngine, moto_environment: dict[str, str]
) -> None:
    throttle(moto_environment, "PutItem", 2)
    with pytest.raises(EngineUnavailableError) as refused:
        await engine.accept([a_job(1)])
    assert busy(refused.value)
    held = await take_new(engine)
    throttle(moto_environment, "PutItem", 2)
    with pytest.raises(EngineUnavailableError):
        await settle(engine, an_end(held, JobState.SUCCEEDED, START))
    assert (await get_one(engine)).state is JobState.RUNNING


@pytest.mark.slow
async def test_a_throttle_of_a_part_leaves_the_rest(
    engine: AwsEngine, moto_environment: dict[str, str]
) -> None:
    """Of several claims those that were written are handed out; the others wait as they did."""
    await engine.accept([a_job(number) for number in range(1, 5)])
    throttle(moto_environment, "PutItem", 3)  # one of them twice, or two of them once
    first = await take(engine, 2)
    throttle(moto_environment, "PutItem", 0)
    records = await engine.get([job_id(number) for number in range(1, 5)])
    assert [r.id for r in records if r and r.starts] == sorted(ids(first))
    throttle(moto_environment, "PutItem", 100)
    later = await take_hints(engine, *(a_hint(number) for number in range(1, 5)))
    throttle(moto_environment, "PutItem", 0)
    waiting = [each.hint.job_id for each in later if each.later_seconds]
    assert sorted(waiting + ids(first)) == [job_id(number) for number in range(1, 5)]


@pytest.mark.slow
async def test_a_throttle_of_one_operation_takes_no_job_of_another(
    engine: AwsEngine, moto_environment: dict[str, str]
) -> None:
    """What was claimed is handed out: leased and not known to anybody it would wait in vain."""
    await engine.accept([a_job(1)])
    demands = [a_demand(1), a_demand(1, operation="send_mail")]
    throttle(moto_environment, "Query", 2)  # of the second: the first one has a hint
    assert ids(await engine.receive(demands)) == [job_id(1)]
    throttle(moto_environment, "Query", 4)
    with pytest.raises(EngineUnavailableError):
        await engine.receive(demands)


@pytest.mark.slow
async def test_of_several_settled_each_has_its_own_end(
    engine: AwsEngine, moto_environment: dict[str, str], clock: VirtualClock
) -> None:
    """One is throttled, again and again: the other is done, and is never told else."""
    await engine.accept([a_job(1), a_job(2), a_job(3), a_job(4)])
    held = await take(engine)
    ends = [Settlement(finish=an_end(one, JobState.SUCCEEDED, START)) for one in held]
    throttle(moto_environment, "PutItem", 3)  # one of them twice, the other once
    settled = await engine.settle(ends[:2])
    assert {one.status for one in settled} == {SettleStatus.DONE, SettleStatus.FAILED}
    assert [one.error is not None and busy(one.error) for one in settled].count(True) == 1

    throttle(moto_environment, "PutItem", 3)
    settler = Settler(engine, clock)
    third, fourth = ends[2:]
    waiting = asyncio.gather(settler.settle(lambda _: third), settler.settle(lambda _: fourth))
    assert await as_time_passes(clock, waiting, 300) == [Settled(status=SettleStatus.DONE)] * 2


@pytest.mark.slow
async def test_the_same_value_of_another_writer_is_no_lost_answer(
    engine: AwsEngine, moto_environment: dict[str, str]
) -> None:
    """Two who count on from one have one more each, also where a throttle made one ask twice."""
    await commit(engine, put(COUNTER, b"1"))
    read = await read_one(engine)
    assert (await commit(engine, put(COUNTER, b"2", over=read.version))).status is SettleStatus.DONE
    throttle(moto_environment, "UpdateItem", 1)
    late = await commit(engine, put(COUNTER, b"2", over=read.version))
    assert late.status is SettleStatus.CONFLICT


def test_an_item_is_known_again_as_dynamodb_writes_it() -> None:
    sent = {"id": {"S": "1"}, "due": {"N": "1800000000.0"}, "grace": {"N": "1e-05"}}
    stored = {"id": {"S": "1"}, "due": {"N": "1800000000"}, "grace": {"N": "0.00001"}}
    assert is_same(stored, sent)
    assert not is_same(stored, {**sent, "due": {"N": "1800000000.5"}})
    assert not is_same(stored, {"id": {"S": "1"}, "due": {"N": "1800000000"}})


@pytest.mark.parametrize(
    ("code", "error"),
    [("ThrottlingError", EngineUnavailableError), ("ValidationError", EngineError)],
)
def test_a_commit_that_dynamodb_never_takes_is_not_tried_again(code: str, error: type) -> None:
    """An item that is too large, say: as an error for now it would be settled for ever."""
    reasons = [{"Code": "None"}, {"Code": code}]
    response = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    writes = [Write(table="t", image={}), Write(table="t", image={})]
    refused = EngineError("refused")
    refused.__cause__ = ClientError(response, "TransactWriteItems")
    with pytest.raises(EngineError, match=code) as raised:
        refusals(writes, refused)
    assert type(raised.value) is error


@pytest.mark.slow
async def test_an_end_that_dynamodb_never_takes_is_an_error_of_its_attempt(stack_url: str) -> None:
    """The job is not left to its lease, to be run again and again."""
    app = App("large")

    @app.operation(retry=Retry(attempts=1))
    async def refuse() -> None:
        raise Reject("x" * 500_000)

    async with TestApp(app, engine=stack_url) as test:
        job = await app.enqueue(refuse)
        await test.drain()
        record = await test.runtime.read_job(job.id)
    assert record.state is JobState.FAILED
    assert record.cause is not None
    assert record.cause.startswith("EngineError: AWS refuses")
    assert [each.outcome for each in record.attempts] == [Outcome.ERROR]


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
async def test_what_was_done_and_not_answered_is_done_once(
    engine: AwsEngine, moto_environment: dict[str, str], times: int
) -> None:
    """boto3 sends it again: what refuses the second one is the first. Twice lost, nobody knows."""
    await engine.accept([a_job(9, operation="other")])
    await commit(engine, put(COUNTER, b"1"))
    version = (await read_one(engine)).version
    for method, call in (
        ("PutItem", lambda: engine.accept([a_job(1)])),
        ("PutItem", lambda: take(engine)),
        ("UpdateItem", lambda: commit(engine, put(COUNTER, b"2", over=version))),
    ):
        lose(moto_environment, method, times)
        if times == 2:
            with pytest.raises(EngineUnavailableError):
                await call()
        else:
            assert await call() in ([True], Settled(status=SettleStatus.DONE), await held(engine))
        lose(moto_environment, method, 0)
    assert (await read_one(engine)).version == version + 1
    assert (await get_one(engine)).starts == 1


async def held(engine: AwsEngine) -> list[Delivery]:
    """Job 1, as its holder was given it."""
    record = await get_one(engine)
    lease = Lease(job_id=record.id, token=1, alone=False)
    return [Delivery(lease=lease, job=record, message=a_job(1).message)]


def throttle(environment: dict[str, str], method: str, times: int) -> None:
    """Have DynamoDB refuse so many requests of this kind."""
    fault(environment, "throttle", method, times)


def lose(environment: dict[str, str], method: str, times: int) -> None:
    """Have DynamoDB do so many requests of this kind, and lose its answers."""
    fault(environment, "lose", method, times)


def fault(environment: dict[str, str], kind: str, method: str, times: int) -> None:
    response = httpx.post(f"{environment['AWS_ENDPOINT_URL']}/{kind}/{method}/{times}")
    response.raise_for_status()


def a_request(number: int, body: bytes = b"{}") -> Hint:
    """What API Gateway sent under one key."""
    fingerprint = hashlib.sha256(body).digest()
    use = KeyUse(key="place_order k", fingerprint=fingerprint, expires=START + 60)
    job = replace(a_job(number), message=Message(payload=body), key=use)
    return a_hint(number, new=job)


@pytest.mark.slow
async def test_repeats_of_a_request_stand_for_the_first_one(engine: AwsEngine) -> None:
    """Also when the message of one comes again; its id finds the first one's record."""
    (first,) = await take_hints(engine, a_request(1))
    assert first.delivery is not None
    repeats = [*await take_hints(engine, a_request(2)), *await take_hints(engine, a_request(2))]
    assert all(one.delivery is None and one.drop for one in repeats)
    records = await engine.get([job_id(2), job_id(1), job_id(3)])
    assert [record and record.id for record in records] == [job_id(1), job_id(1), None]
    (again,) = await take_hints(engine, a_request(1))
    assert again.delivery is None


@pytest.mark.slow
async def test_of_requests_taken_at_once_under_a_key_one_runs(engine: AwsEngine) -> None:
    taken = await take_hints(engine, *(a_request(number) for number in range(1, 6)))
    (first,) = [one.delivery.job.id for one in taken if one.delivery is not None]
    records = await engine.get([job_id(number) for number in range(1, 6)])
    assert {record.id for record in records if record is not None} == {first}
    assert None not in records


@pytest.mark.slow
async def test_another_request_under_the_key_is_no_repeat(engine: AwsEngine) -> None:
    taken = [*await take_hints(engine, a_request(1)), *await take_hints(engine, a_request(2, b"2"))]
    assert [one.delivery and one.delivery.job.id for one in taken] == [job_id(1), job_id(2)]


@pytest.mark.slow
async def test_of_dead_hints_nothing_is_lost(engine: AwsEngine) -> None:
    """A first request, its repeat, another one under its key, and a job that waits."""
    await engine.accept([a_job(4)])
    dead = [a_request(1), a_request(2), a_request(3, b"3"), a_hint(4)]
    assert await engine.revive(dead) == (2, 1)
    records = await engine.get([job_id(number) for number in range(1, 5)])
    found = [record and record.id for record in records]
    assert found == [job_id(1), job_id(1), job_id(3), job_id(4)]
    assert await engine.revive(dead) == (0, 3)  # they wait, and are sent again


@pytest.mark.slow
async def test_a_call_that_came_to_nothing_is_not_what_a_request_repeats(engine: AwsEngine) -> None:
    """Its key is from when the operation was direct: a job that stood for it would never run."""
    request = a_request(1)
    assert request.new is not None
    assert request.new.key is not None
    await end_key(engine, await hold_key(engine, 7, request.new.key), None)
    (taken,) = await take_hints(engine, request)
    assert taken.delivery is not None


@pytest.mark.slow
async def test_a_key_is_a_new_one_when_its_time_is_over(
    engine: AwsEngine, clock: VirtualClock
) -> None:
    await take_hints(engine, a_request(1))
    await clock.advance(61)
    fresh = a_request(2)
    assert fresh.new is not None
    use = replace(fresh.new.key, expires=START + 120)
    (taken,) = await take_hints(engine, replace(fresh, new=replace(fresh.new, key=use)))
    assert taken.delivery is not None
