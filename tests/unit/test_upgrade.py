"""Jobs that an older version accepted: through `upgrade=`, or to the dead letters."""

from typing import Any

import pytest
from operated import beside
from pydantic import BaseModel

from eitherway import App, ConfigurationError, InvalidInputError, JobState
from eitherway.attempt.dead import Selection
from eitherway.attempt.operators import Operators
from eitherway.job import FailureKind
from eitherway.settings import Settings
from eitherway.testing import FakeClock, TestApp


class Euros(BaseModel):
    key: str
    euros: float


class Cents(BaseModel):
    key: str
    cents: int


def old_app():
    """Version 1: amounts in euros."""
    app = App("shop")

    @app.post("/orders", delivery="queued")
    async def place(order: Euros) -> str:
        return order.key

    @app.post("/notes/{shop}", delivery="queued")
    async def note(shop: str, order: Euros | None = None) -> str:
        return shop

    return app, place, note


def new_app(upgrade, **policies):
    """Version 2: amounts in cents; what its handler got is in the list."""
    app, got = App("shop"), []

    @app.post("/orders", delivery="queued", version=2, upgrade=upgrade, **policies)
    async def place(order: Cents) -> int:
        got.append(order)
        return order.cents

    @app.post("/notes/{shop}", delivery="queued", version=2, upgrade=upgrade)
    async def note(shop: str, order: Cents | None = None) -> None:
        got.append((shop, order))

    return app, place, got


calls: list[tuple[Any, int]] = []


def to_cents(body: Any, version: int) -> Any:
    calls.append((body, version))
    return body if body is None else {"key": body["key"], "cents": round(body["euros"] * 100)}


@pytest.fixture
async def store(tmp_path):
    """The URL of a store with a job of version 1, and that job's id."""
    calls.clear()
    url = f"sqlite:///{tmp_path}/shop.db"
    app, place, _ = old_app()
    await app.open(Settings(engine=url), clock=FakeClock())
    job = await app.enqueue(place, Euros(key="a", euros=1.5))
    await app.close()
    return url, job.id


def operators_of(shop, operations=None):
    runtime = shop.runtime
    known = operations or runtime.operations
    return Operators(runtime.engine, runtime.clock, runtime.watcher, known)


async def test_an_older_body_is_upgraded_and_a_current_one_is_not(store):
    """It is decoded, and comes with its version; the record keeps that."""
    url, job_id = store
    app, place, got = new_app(to_cents)
    async with TestApp(app, engine=url) as shop:
        await shop.enqueue(place, Cents(key="b", cents=7))
        assert await shop.drain() == 2
        record = await shop.runtime.read_job(job_id)
    assert got == [Cents(key="a", cents=150), Cents(key="b", cents=7)]
    assert calls == [({"key": "a", "euros": 1.5}, 1)]
    assert (record.state, record.version, record.attempt) == (JobState.SUCCEEDED, 1, 1)


async def test_an_upgrade_may_give_a_model(store):
    """Whatever Pydantic makes JSON of."""
    app, _, got = new_app(lambda body, _: Cents(key=body["key"], cents=1))
    async with TestApp(app, engine=store[0]) as shop:
        await shop.drain()
    assert got == [Cents(key="a", cents=1)]


async def test_a_job_without_a_body_has_none_to_upgrade(tmp_path):
    """It is shown as None; parameters stay as they were."""
    calls.clear()
    url = f"sqlite:///{tmp_path}/shop.db"
    app, _, note = old_app()
    await app.open(Settings(engine=url), clock=FakeClock())
    await app.enqueue(note, "Kiel")
    await app.close()
    app, _, got = new_app(to_cents)
    async with TestApp(app, engine=url) as shop:
        await shop.drain()
    assert calls == [(None, 1)]
    assert got == [("Kiel", None)]


def raises(body: Any, version: int) -> Any:
    raise LookupError(f"no rate on day 17 in version {version}")


UNFIT = {
    "raises": (raises, "LookupError: no rate on day 17", "upgrade failed: LookupError: no rate"),
    "does not fit": (lambda *_: {"key": 1}, "/cents: Field required", "input no longer fits"),
    "forgets to return": (lambda *_: None, "/: Input should be", "input no longer fits"),
    "is no JSON": (lambda *_: object(), "PydanticSerializationError", "upgrade failed: Pydantic"),
    "is a number that JSON has not": (
        lambda *_: {"key": "a", "cents": float("nan")},
        "NaN is not JSON",
        "input no longer fits",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_what_still_does_not_fit_is_a_dead_letter_for_operators(store, case):
    """At its first attempt; the inside is told to operators alone."""
    upgrade, exception, cause = UNFIT[case]
    app, _, got = new_app(upgrade)
    async with TestApp(app, engine=store[0]) as shop:
        app.bound_to("127.0.0.1")
        assert await shop.drain() == 1
        record = await shop.runtime.read_job(store[1])
        told = (await shop.request("GET", f"/jobs/{store[1]}")).body.decode()
        path, local = f"/admin/jobs/{store[1]}", {"host": "127.0.0.1"}
        inside = (await shop.request("GET", path, headers=local)).body.decode()
    assert got == []
    assert (record.state, record.kind) == (JobState.FAILED, FailureKind.INCOMPATIBLE)
    assert record.cause is not None
    assert record.cause.startswith(cause)
    (attempt,) = record.attempts
    assert exception in (attempt.exception or "")
    assert "incompatible" in told
    assert "exception" not in told
    assert "LookupError" not in told
    assert '"exception":"' in inside


async def test_without_an_upgrade_the_places_are_told_to_operators(store):
    """What was wrong, of a body that nobody upgraded."""
    app, _, _ = new_app(None)
    async with TestApp(app, engine=store[0]) as shop:
        await shop.drain()
        record = await shop.runtime.read_job(store[1])
    assert record.kind is FailureKind.INCOMPATIBLE
    assert "/cents: Field required" in (record.attempts[0].exception or "")


async def dead(url):
    """Have the old job die of an upgrade that fails."""
    app, _, _ = new_app(raises)
    async with TestApp(app, engine=url) as shop:
        await shop.drain()


async def test_a_redriven_dead_letter_goes_through_upgrade(store):
    """Once it is mended; with the whole budget, and behind a canary too."""
    url, job_id = store
    await dead(url)
    app, _, got = new_app(to_cents)
    async with TestApp(app, engine=url) as shop:
        redrive = operators_of(shop).redrive(Selection(operation="place"), canary=True)
        done = await beside(shop, redrive)
        record = await shop.runtime.read_job(job_id)
    assert (done.redriven, done.stopped) == (1, False)
    assert got == [Cents(key="a", cents=150)]
    assert (record.state, record.version) == (JobState.SUCCEEDED, 1)


async def test_an_edited_older_body_is_still_of_its_version(store):
    """It is checked as it will be run: through upgrade; one in the new form is refused."""
    url, job_id = store
    await dead(url)
    app, _, got = new_app(to_cents)
    async with TestApp(app, engine=url) as shop:
        operators = operators_of(shop)
        with pytest.raises(InvalidInputError, match="in the form that version 1 had"):
            await operators.edit(job_id, b'{"key": "a", "cents": 3}')
        with pytest.raises(InvalidInputError) as refused:
            await operators.edit(job_id, b'{"key": 1, "euros": 3}')
        assert [error["pointer"] for error in refused.value.errors] == ["/key"]
        assert (await shop.runtime.read_job(job_id)).state is JobState.FAILED
        await operators.edit(job_id, b'{"key": "edited", "euros": 3}')
        await shop.drain()
    assert got == [Cents(key="edited", cents=300)]


async def test_an_older_app_cannot_check_a_newer_body(tmp_path):
    """It is left to those who know it; JSON it has to be."""
    url = f"sqlite:///{tmp_path}/shop.db"
    app, place, _ = new_app(to_cents, timeout_seconds=1, deadline_seconds=10)
    older, _, _ = old_app()
    async with TestApp(app, engine=url) as shop:
        job = await shop.enqueue(place, Cents(key="a", cents=1))
        await shop.advance(11)
        await shop.drain()
        operators = operators_of(shop, older.operations)
        with pytest.raises(InvalidInputError):
            await operators.edit(job.id, b"{")
        await operators.edit(job.id, b'{"key": "b", "cents": 2}')
        await shop.drain()
        assert await job.result(0) == 2


async def test_an_unknown_operation_waits_for_a_worker_that_knows_it(store):
    """Not counted, not failed; until its deadline, which ends it."""
    url, job_id = store
    async with TestApp(App("shop"), engine=url) as shop:
        assert await shop.drain() == 0
        record = await shop.runtime.read_job(job_id)
        assert (record.state, record.attempts, record.starts) == (JobState.QUEUED, (), 0)
        await shop.advance(5 * 86_400)
        await shop.drain()
        record = await shop.runtime.read_job(job_id)
    assert (record.kind, record.attempts) == (FailureKind.EXPIRED, ())


async def test_a_newer_job_waits_for_a_newer_worker(tmp_path):
    """An older worker neither starts it nor counts it."""
    url = f"sqlite:///{tmp_path}/shop.db"
    newer, place, got = new_app(to_cents)
    older, _, _ = old_app()
    await newer.open(Settings(engine=url), clock=FakeClock())
    job = await newer.enqueue(place, Cents(key="a", cents=1))
    await newer.close()
    async with TestApp(older, engine=url) as shop:
        assert await shop.drain() == 0
        record = await shop.runtime.read_job(job.id)
    assert (record.state, record.attempts, record.attempt) == (JobState.QUEUED, (), 0)
    async with TestApp(newer, engine=url) as shop:
        assert await shop.drain() == 1
    assert got == [Cents(key="a", cents=1)]


async def handler(order: Cents) -> None: ...


async def bodiless(key: str) -> None: ...


async def slowly(body: Any, version: int) -> Any: ...


@pytest.mark.parametrize(
    ("handled", "policies", "says"),
    [
        (handler, {"upgrade": to_cents}, "raise version"),
        (handler, {"upgrade": slowly, "version": 2}, "plain function"),
        (handler, {"upgrade": {"cents": 1}, "version": 2}, "plain function"),
        (bodiless, {"upgrade": to_cents, "version": 2}, "takes none"),
    ],
)
def test_an_upgrade_that_cannot_be_is_refused_when_it_is_declared(handled, policies, says):
    """With what to do instead."""
    with pytest.raises(ConfigurationError, match=says):
        App("a").post("/a", delivery="queued", **policies)(handled)
