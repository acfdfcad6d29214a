"""W3C Trace Context: its grammar, and each attempt's and job's place in a trace (TR-1, TR-2)."""

import pytest
from wire import Sse, connected

from eitherway import App, Context, Retry
from eitherway.ids import Randomness
from eitherway.testing import TestApp
from eitherway.trace import Span, Trace, starting

ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{ID}-{PARENT}-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (GIVEN, GIVEN),
        (f" {GIVEN}\t", GIVEN),
        (f"00-{ID}-{PARENT}-00", f"00-{ID}-{PARENT}-00"),
        (f"00-{ID}-{PARENT}-03", f"00-{ID}-{PARENT}-03"),  # the random flag is copied on
        (f"00-{ID}-{PARENT}-ff", f"00-{ID}-{PARENT}-03"),  # flags that nobody knows are not
        (f"cc-{ID}-{PARENT}-01", GIVEN),  # a later version is read as this one
        (f"cc-{ID}-{PARENT}-01-and-more", GIVEN),
        (f"00-{'0' * 31}1-{'0' * 15}1-01", f"00-{'0' * 31}1-{'0' * 15}1-01"),
    ],
)
def test_a_valid_traceparent_is_kept(given, kept):
    """As it is, in the version that we speak."""
    assert Trace.of([given]) == Trace(kept)


INVALID = [
    "",
    "nonsense",
    GIVEN.upper(),
    GIVEN.replace("a", "A"),
    f"ff-{ID}-{PARENT}-01",
    f"0-{ID}-{PARENT}-01",
    f"000-{ID}-{PARENT}-01",
    f"0x-{ID}-{PARENT}-01",
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{ID}-{'0' * 16}-01",
    f"00-{ID[1:]}-{PARENT}-01",
    f"00-{ID}0-{PARENT}-01",
    f"00-{ID}-{PARENT[1:]}-01",
    f"00-{ID}-{PARENT}0-01",
    f"00-{ID}-{PARENT}-1",
    f"00-{ID}-{PARENT}-001",
    f"00-{ID}-{PARENT}-0x",
    f"00-{ID}-{PARENT}",
    f"00-{ID}-{PARENT}-",
    f"{GIVEN}-",
    f"{GIVEN}-more",
    f"{GIVEN}.more",
    f"cc-{ID}-{PARENT}-01.more",
    f"00-{ID[:-1]}.-{PARENT}-01",
    f"00-{ID}-{PARENT[:-1]}.-01",
    f"00_{ID}_{PARENT}_01",
    f"00-{ID}-{PARENT}-01\n",
    f"{GIVEN},{GIVEN}",
    f"\u0660\u0660-{ID}-{PARENT}-01",
]


@pytest.mark.parametrize("given", INVALID)
def test_an_invalid_traceparent_is_ignored(given):
    """With the tracestate beside it, whatever that says."""
    assert Trace.of([given], ["a=1"]) is None


def test_two_traceparents_are_none():
    """Also where they say the same; and none is none."""
    assert Trace.of([GIVEN, GIVEN]) is None
    assert Trace.of([]) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], None),
        ([""], None),
        (["a=1"], "a=1"),
        (["b=2,a=1"], "b=2,a=1"),  # order kept
        (["b=2", "a=1"], "b=2,a=1"),  # several headers are one list
        ([" b=2 ,\ta=1 , ,"], "b=2,a=1"),
        (["a=1 2;3:4"], "a=1 2;3:4"),
        (["0x@vendor=1,a_b-c*d/e=2"], "0x@vendor=1,a_b-c*d/e=2"),
        (["a="], None),
        (["a=1,nonsense"], None),
        (["A=1"], None),
        (["0=1"], None),
        (["a b=1"], None),
        (["a@b@c=1"], None),
        (["a@0=1"], None),
        (["a=b=c"], None),
        (["a=\x7f"], None),
        (["a=é"], None),
        ([f"{'k' * 256}=1"], f"{'k' * 256}=1"),
        ([f"{'k' * 257}=1"], None),
        ([f"a={'v' * 256}"], f"a={'v' * 256}"),
        ([f"a={'v' * 257}"], None),
        ([",".join(f"k{n}=1" for n in range(32))], ",".join(f"k{n}=1" for n in range(32))),
        ([",".join(f"k{n}=1" for n in range(33))], None),
        ([f"a=1,b={'v' * 200},c={'v' * 200},d={'v' * 200},e=1"],
         f"a=1,b={'v' * 200},c={'v' * 200},e=1"),
        ([",".join(f"k{n}={'v' * 90}" for n in range(10))],
         ",".join(f"k{n}={'v' * 90}" for n in range(5))),
    ],
)  # fmt: skip
def test_the_tracestate_is_kept_in_its_order_or_not_at_all(given, kept):
    """An invalid one is dropped, the trace goes on; past 512 characters, the large go first."""
    assert Trace.of([GIVEN], given) == Trace(GIVEN, kept)


def test_a_job_of_nobody_starts_a_trace_made_of_its_id():
    """A valid context, the same each time, and another for each; the id cannot be told from it."""
    job_id = Randomness().job_id(1e9)
    started = starting(job_id, None)
    assert started == starting(job_id, None)
    assert Trace.of([started]) == Trace(started)
    assert started[-2:] == "03"  # sampled, and random
    assert started[3:35] != starting(Randomness().job_id(1e9), None)[3:35]
    assert job_id.replace("-", "")[-8:] not in started
    assert starting(job_id, GIVEN) == GIVEN


def test_each_span_has_an_id_of_its_own_in_the_trace():
    """The flags and the tracestate go on; the id is made when it is asked for, once."""
    made = []

    def new_id():
        made.append(Randomness(len(made)).span_id())
        return made[-1]

    one, two = (Span("x", Trace(GIVEN, "a=1"), new_id) for _ in range(2))
    assert made == []
    assert (one.trace_id, one.tracestate) == (ID, "a=1")
    assert one.traceparent == one.traceparent == f"00-{ID}-{made[0]}-01"
    assert two.child == Trace(f"00-{ID}-{made[1]}-01", "a=1")
    assert len({*made, PARENT}) == 3


def trace_of(job_id):
    return starting(job_id, None)[3:35]


app = App("traced")
seen: list[tuple[str, int, str, str | None]] = []


@app.operation()
async def child(ctx: Context) -> None:
    seen.append((ctx.job_id, ctx.attempt, ctx.traceparent, ctx.headers.get("tracestate")))


@app.operation(batch_max=10)
async def child_batch(ctx: Context, items: list[int]) -> list[int]:
    for index in range(len(items)):
        with ctx.item(index) as item:
            seen.append((item.job_id, item.attempt, item.traceparent, None))
            await item.enqueue(child)
    await ctx.enqueue(child)
    seen.append((ctx.job_id, 0, ctx.traceparent, None))
    return items


async def parent(ctx: Context) -> str:
    seen.append((ctx.job_id, ctx.attempt, ctx.traceparent, ctx.headers.get("tracestate")))
    assert ctx.headers["traceparent"] == ctx.traceparent
    if ctx.attempt < 2 and ctx.attempts_max > 1:
        raise RuntimeError("again")
    await ctx.enqueue(child)
    return ctx.job_id


app.post("/direct", name="direct")(parent)
app.post("/queued", name="queued", delivery="queued", retry=Retry(base_seconds=0.01))(parent)
app.post("/auto", name="auto", delivery="auto", retry=Retry(base_seconds=0.01))(parent)


@app.post("/blind", delivery="queued")
async def blind() -> None: ...


@pytest.fixture
async def traced():
    seen.clear()
    async with TestApp(app) as test_app:
        yield test_app


async def finish(traced):
    for _ in range(3):
        await traced.drain()
        await traced.advance(1)


@pytest.mark.parametrize("path", ["/direct", "/queued", "/auto"])
async def test_a_trace_goes_from_the_request_through_attempts_to_other_jobs(traced, path):
    """One trace; each attempt a span of its own, whose child the enqueued job is."""
    headers = {"traceparent": GIVEN, "tracestate": "b=2,a=1"}
    await traced.request("POST", path, headers=headers)
    await finish(traced)
    *attempts, last = seen
    assert len(attempts) == (2 if path == "/queued" else 1)
    spans = [traceparent for _, _, traceparent, _ in seen]
    assert {span[:36] for span in spans} == {GIVEN[:36]}
    assert len({PARENT, *(span[36:52] for span in spans)}) == len(spans) + 1
    assert {state for *_, state in seen} == {"b=2,a=1"}
    record = await traced.runtime.read_job(last[0])
    assert (record.traceparent, record.tracestate) == (attempts[-1][2], "b=2,a=1")


@pytest.mark.parametrize("path", ["/direct", "/queued"])
@pytest.mark.parametrize("given", [None, GIVEN.upper()])
async def test_without_a_valid_trace_a_new_one_starts_and_nothing_is_stored(traced, path, given):
    """It is made of the job's own id."""
    headers = {"traceparent": given, "tracestate": "a=1"} if given else {}
    response = await traced.request("POST", path, headers=headers)
    await finish(traced)
    job_id = response.json() if path == "/direct" else response.json()["id"]
    assert {(span[3:35], state) for *_, span, state in seen} == {(trace_of(job_id), None)}
    if path == "/queued":
        record = await traced.runtime.read_job(job_id)
        assert (record.traceparent, record.tracestate) == (None, None)


async def test_a_job_from_python_starts_a_trace(traced):
    """Of its own; in a batch, each item has its own."""
    jobs = [await traced.enqueue(child_batch, number) for number in range(3)]
    await finish(traced)
    items = [entry for entry in seen if entry[0] in {job.id for job in jobs} and entry[1]]
    (batch,) = [entry for entry in seen if not entry[1]]
    ids = sorted(trace_of(job.id) for job in jobs)
    assert sorted(span[3:35] for _, _, span, _ in items) == ids
    assert batch[2] == items[0][2]  # seen as its first item
    children = {entry[0] for entry in seen} - {job.id for job in jobs}
    records = [await traced.runtime.read_job(job_id) for job_id in children]
    parents = sorted(record.traceparent for record in records)
    assert parents == sorted([batch[2], *(span for _, _, span, _ in items)])


async def test_a_handler_that_does_not_ask_costs_no_headers(traced):
    """The trace is beside the message, whoever reads it."""
    headers = {"traceparent": GIVEN, "x-other": "1"}
    response = await traced.request("POST", "/blind", headers=headers)
    (message,) = await traced.runtime.engine.messages([response.json()["id"]])
    assert message.headers == b""


async def test_events_name_the_context_that_the_job_started_in(traced):
    """Over Server-Sent Events and WebSocket, before and after its end (CE-4)."""
    headers = {"traceparent": GIVEN, "tracestate": "b=2,a=1"}
    given = (await traced.request("POST", "/queued", headers=headers)).json()["id"]
    own = (await traced.request("POST", "/queued")).json()["id"]
    expected = {given: (GIVEN, "b=2,a=1"), own: (starting(own, None), None)}
    for _ in range(2):
        for job_id, (traceparent, tracestate) in expected.items():
            stream = Sse(traced, f"/jobs/{job_id}/events")
            await stream.start()
            await stream.chunk()  # how soon to come back
            socket = await connected(traced, f"/events?jobs={job_id}")
            for event in ((await stream.event())["data"], await socket.event()):
                assert event["traceparent"] == traceparent
                assert event.get("tracestate") == tracestate
            stream.hear("http.disconnect")
            socket.hear("websocket.disconnect", code=1000)
            await stream.over()
            await socket.over()
        await finish(traced)
