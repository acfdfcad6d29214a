"""Each scenario through both doors: direct on the call, queued through a job and its result."""

import pytest
from apps import answers, app, flaky, increment, one_at_a_time

from eitherway import JobFailedError
from eitherway.testing import TestApp


@pytest.fixture
async def shop():
    async with TestApp(app, seed=1) as opened:
        yield opened


async def direct(shop, note):
    return await shop.request("POST", "/answers/direct", json={"key": "k", "note": note})


async def queued(shop, note):
    """The answer at /result, after the job has run."""
    accepted = await shop.request("POST", "/answers/queued", json={"key": "k", "note": note})
    assert accepted.status == 202
    await shop.drain()
    return await shop.request("GET", f"/jobs/{accepted.json()['id']}/result")


@pytest.mark.parametrize(
    ("note", "status"),
    [("", 200), ("reject", 409), ("missing", 404), ("error", 500)],
)
async def test_the_result_of_a_job_is_the_direct_answer_byte_for_byte(shop, note, status):
    """Status, media type and body agree, whatever the handler did."""
    at_once, later = await direct(shop, note), await queued(shop, note)
    assert at_once.status == later.status == status
    assert at_once.headers["content-type"] == later.headers["content-type"]
    assert at_once.body.replace(b"_direct", b"_queued") == later.body
    assert b"secret" not in later.body


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"key": ', "application/json", 400),
        (b"", "application/json", 400),
        (b'{"key": NaN}', "application/json", 400),
        (b'{"key": "a", "note": Infinity}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'"\\ud800"', "application/json", 400),
        (b"{}", "application/json", 422),
        (b"[1]", "application/json", 422),
        (b'{"key": 1}', "application/json; charset=utf-8", 422),
        (b'{"key": "a"}', "text/plain", 415),
        (b'{"key": "a"}', None, 415),
        (b'{"key": "' + b"a" * 300_000 + b'"}', "application/json", 413),
    ],
)
async def test_wrong_bodies_get_the_same_problem_up_front(shop, body, content_type, status):
    """Neither door runs or stores anything, and both say the same."""
    headers = {"content-type": content_type} if content_type else {}
    at_once = await shop.request("POST", "/answers/direct", body=body, headers=headers)
    accepted = await shop.request("POST", "/answers/queued", body=body, headers=headers)
    assert (at_once.status, at_once.body) == (accepted.status, accepted.body)
    assert at_once.status == at_once.json()["status"] == status
    assert at_once.headers["content-type"] == "application/problem+json"
    assert await shop.drain() == 0


async def test_a_422_points_at_what_is_wrong(shop):
    """`errors` holds JSON Pointers."""
    response = await shop.request("POST", "/answers/direct", json={"note": 3})
    assert [error["pointer"] for error in response.json()["errors"]] == ["/key", "/note"]


async def test_a_wrong_media_type_is_told_what_is_taken(shop):
    """415 carries `Accept`, or `Accept-Encoding` for an encoding."""
    plain = {"content-type": "text/plain"}
    response = await shop.request("POST", "/answers/queued", body=b"x", headers=plain)
    assert response.headers["accept"] == "application/json"
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    response = await shop.request("POST", "/answers/queued", body=b"x", headers=packed)
    assert (response.status, response.headers["accept-encoding"]) == (415, "identity")


async def test_a_timed_out_call_is_a_504_and_a_timed_out_attempt_counts(shop):
    """The attempt is cut off; the queued job, with one attempt, is dead."""
    late = shop.request("POST", "/answers/direct", json={"key": "k", "note": "late"})
    response = await with_time(shop, late)
    assert response.status == 504
    job = await shop.request("POST", "/answers/queued", json={"key": "k", "note": "late"})
    await with_time(shop, shop.drain())
    document = (await shop.request("GET", f"/jobs/{job.json()['id']}")).json()
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["timed_out"]
    assert (document["status"], document["error"]["kind"]) == ("failed", "exhausted")
    assert document["expires"] is None


async def with_time(shop, work):
    """Run `work` while the virtual clock passes its time limit."""
    import asyncio

    task = asyncio.ensure_future(work)
    while not task.done():
        await shop.clock.armed()
        await shop.advance(0.1)
    return await task


async def test_retry_later_is_a_503_with_retry_after_and_a_delay(shop):
    """The handler's own seconds are used for both."""
    response = await direct(shop, "later")
    assert (response.status, response.headers["retry-after"]) == (503, "3")


async def test_a_202_is_a_whole_job_document(shop):
    """Both headers, absolute; the status can be read at once, pending results are a 404."""
    accepted = await shop.request("POST", "/increments", json={"key": "k", "note": "n"})
    document = accepted.json()
    url = f"http://testserver/jobs/{document['id']}"
    assert accepted.headers["location"] == accepted.headers["operation-location"] == url
    assert int(accepted.headers["retry-after"]) >= 1
    assert (document["status"], document["done"], document["durability"]) == (
        "queued",
        False,
        "memory",
    )
    shown = await shop.request("GET", f"/jobs/{document['id']}")
    assert shown.json() == document
    assert shown.headers["retry-after"]
    pending = await shop.request("GET", f"/jobs/{document['id']}/result")
    assert pending.status == 404
    assert pending.json()["type"] == "/problems/result-not-ready"
    assert pending.headers["retry-after"]


async def test_a_finished_job_shows_its_result_and_its_attempts(shop):
    """200 with the result inline, no `Retry-After`, an expiry; its own status at /result."""
    accepted = await shop.request("POST", "/increments", json={"key": "k", "note": "n"})
    await shop.drain()
    shown = await shop.request("GET", f"/jobs/{accepted.json()['id']}")
    document = shown.json()
    assert "retry-after" not in shown.headers
    assert (document["status"], document["done"], document["result"]) == ("succeeded", True, "k")
    assert document["attempts"][0]["number"] == document["attempt"] == 1
    assert document["expires"] > document["finished"]
    result = await shop.request("GET", f"/jobs/{document['id']}/result")
    assert (result.status, result.body) == (201, b'"k"')


async def test_the_etag_moves_with_the_job(shop):
    """`If-None-Match` gives 304 with the same headers until something changes."""
    accepted = await shop.request("POST", "/increments", json={"key": "k", "note": "n"})
    path = f"/jobs/{accepted.json()['id']}"
    first = await shop.request("GET", path)
    seen = {"if-none-match": first.headers["etag"]}
    again = await shop.request("GET", path, headers=seen)
    assert (again.status, again.body) == (304, b"")
    for name in ("etag", "cache-control", "vary"):
        assert again.headers[name] == first.headers[name]
    await shop.drain()
    moved = await shop.request("GET", path, headers=seen)
    assert moved.status == 200
    assert moved.headers["etag"] != first.headers["etag"]
    head = await shop.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == moved.headers["etag"]


async def test_a_long_poll_answers_as_soon_as_the_etag_moves(shop):
    """200 when the job moves, 304 when the time is over."""
    import asyncio

    accepted = await shop.request("POST", "/increments", json={"key": "k", "note": "n"})
    path = f"/jobs/{accepted.json()['id']}"
    first = await shop.request("GET", path)
    wait = {"prefer": "wait=10", "if-none-match": first.headers["etag"]}
    poll = asyncio.ensure_future(shop.request("GET", path, headers=wait))
    await shop.clock.armed()
    await shop.advance(10)
    assert (await poll).status == 304
    poll = asyncio.ensure_future(shop.request("GET", path, headers=wait))
    await shop.clock.armed()
    await shop.drain()
    assert (await poll).status == 200


async def test_an_unknown_job_is_a_404(shop):
    """For the document and for the result, with the same body."""
    for suffix in ("", "/result"):
        response = await shop.request("GET", f"/jobs/nope{suffix}")
        assert (response.status, response.json()["type"]) == (404, "/problems/unknown-job")


async def test_unknown_paths_and_methods_are_problems(shop):
    """404, and 405 with `Allow`; OPTIONS says the same methods."""
    assert (await shop.request("GET", "/nowhere")).json()["type"] == "/problems/not-found"
    refused = await shop.request("PUT", "/increments", json={})
    assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")
    options = await shop.request("OPTIONS", "/increments")
    assert (options.status, options.headers["allow"]) == (204, "OPTIONS, POST")


async def test_a_failed_attempt_is_retried_and_its_error_is_without_internals(shop):
    """Attempts are numbered, each with its outcome; the traceback stays inside."""
    accepted = await shop.request("POST", "/flaky", json={"key": "k"})
    for _ in range(3):
        await shop.drain()
        await shop.advance(1)
    shown = await shop.request("GET", f"/jobs/{accepted.json()['id']}")
    document = shown.json()
    assert [attempt["outcome"] for attempt in document["attempts"]] == [
        "error",
        "error",
        "succeeded",
    ]
    assert document["result"] == document["attempt"] == 3
    assert b"secret" not in shown.body
    record = await (await shop.enqueue(flaky, {"key": "x"})).record()
    assert record.state == "queued"


async def test_a_direct_call_past_its_limit_is_refused_and_nothing_is_stored(shop, tmp_path):
    """503 with `Retry-After`, while the first call goes on."""
    import asyncio

    go = tmp_path / "go"
    body = {"key": "a", "note": str(go)}
    first = asyncio.ensure_future(shop.request("POST", "/one-at-a-time", json=body))
    await shop.clock.armed()
    second = await shop.request("POST", "/one-at-a-time", json=body)
    assert (second.status, second.json()["type"]) == (503, "/problems/overloaded")
    assert int(second.headers["retry-after"]) >= 1
    go.touch()
    assert (await first).status == 200
    assert (await shop.request("POST", "/one-at-a-time", json=body)).status == 200


async def test_python_calls_take_the_same_path(shop, tmp_path):
    """`call` and `enqueue` give the handler's result as its type, or its problem."""
    go = tmp_path / "go"
    go.touch()
    assert await shop.call(one_at_a_time, {"key": "a", "note": str(go)}) == "a"
    job = await shop.enqueue(increment, {"key": "a", "note": "n"})
    await shop.drain()
    assert await job.result() == "a"
    with pytest.raises(JobFailedError) as failure:
        await shop.call(answers, {"key": "a", "note": "reject"})
    assert failure.value.problem["status"] == 409


async def test_health_says_live_and_ready(shop):
    """200 both, never cached; not ready while draining."""
    for path in ("/livez", "/readyz"):
        response = await shop.request("GET", path)
        assert (response.status, response.headers["cache-control"]) == (200, "no-store")
    shop.app.begin_drain()
    assert (await shop.request("GET", "/readyz")).status == 503
    assert (await shop.request("GET", "/livez")).status == 200
