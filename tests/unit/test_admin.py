"""`/admin` over HTTP: who may come in, and what it answers."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape

import pytest
from operated import Order, beside, kill, make_app

from eitherway.settings import Settings
from eitherway.testing import TestApp

TOKEN = "correct horse battery staple"
LOCAL = {"host": "127.0.0.1:8000"}
PATHS = [
    ("GET", "/admin"),
    ("GET", "/admin/jobs"),
    ("GET", "/admin/jobs/x"),
    ("GET", "/admin/dead"),
    ("GET", "/admin/stats"),
    ("POST", "/admin/dead/redrive"),
    ("POST", "/admin/dead/purge"),
    ("POST", "/admin/pause"),
    ("POST", "/admin/resume"),
]


@pytest.fixture
async def shop():
    """An opened app on a loopback address: (test app, switch, handlers)."""
    app, switch, place, note = make_app()
    async with TestApp(app, seed=1) as test_app:
        app.bound_to("127.0.0.1")
        yield test_app, switch, place, note


async def get(test_app, url):
    response = await test_app.request("GET", url, headers=LOCAL)
    assert response.status == 200, response.body
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def post(test_app, url, body, status=200):
    response = await test_app.request("POST", url, json=body, headers=LOCAL)
    assert response.status == status, response.body
    return response.json()


# -- who may come in ---------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_nobody_comes_in_where_the_listener_is_unknown(method, path):
    """As under another ASGI server: the refusal says what to do."""
    app, *_ = make_app()
    async with TestApp(app) as test_app:
        response = await test_app.request(method, path, headers=LOCAL)
    assert response.status == 403
    assert response.json()["type"] == "/problems/operators-only"
    assert "EITHERWAY_ADMIN_TOKEN" in response.json()["detail"]


@pytest.mark.parametrize(
    ("listener", "headers", "status"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, 200),
        ("127.0.0.1", {"host": "localhost:8000"}, 200),
        ("::1", {"host": "[::1]:8000"}, 200),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
        ("0.0.0.0", {"host": "127.0.0.1:8000"}, 403),
        ("192.0.2.1", {"host": "127.0.0.1:8000"}, 403),
        ("127.0.0.1", {"host": "shop.example"}, 403),
        ("127.0.0.1", {"host": "localhost.evil.example"}, 403),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example:8000"}, 403),
        ("127.0.0.1", {"host": ""}, 403),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=192.0.2.1"}, 403),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "127.0.0.1"}, 403),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-proto": "https"}, 403),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "http://evil.example"}, 403),
        ("127.0.0.1", {"host": "localhost:8000", "origin": "null"}, 403),
        ("127.0.0.1", {"host": "localhost", "authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
async def test_without_a_token_only_local_requests_come_in(listener, headers, status):
    """Bound to loopback, sent to loopback, not forwarded, from no foreign page."""
    app, *_ = make_app()
    async with TestApp(app) as test_app:
        app.bound_to(listener)
        for path in ("/admin/stats", "/admin/dead"):
            assert (await test_app.request("GET", path, headers=headers)).status == status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
    ],
)
async def test_with_a_token_the_token_alone_counts(authorization, status):
    """From wherever it comes, also through a proxy; a local request without it is refused too."""
    app, *_ = make_app()
    async with TestApp(app, settings=Settings(admin_token=TOKEN)) as test_app:
        app.bound_to("0.0.0.0")
        for host in ("shop.example", "localhost"):
            headers = {"host": host, "x-forwarded-for": "192.0.2.1"}
            if authorization is not None:
                headers["authorization"] = authorization
            response = await test_app.request("GET", "/admin/stats", headers=headers)
            assert response.status == status
            if status == 401:
                assert response.headers["www-authenticate"].startswith("Bearer ")
                assert response.json()["type"] == "/problems/unauthorized"
                assert TOKEN not in response.body.decode()


async def test_what_a_foreign_page_could_send_is_refused(shop):
    """A form's media types are none of ours."""
    test_app, *_ = shop
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        response = await test_app.request(
            "POST",
            "/admin/dead/purge",
            body=b'{"operation": "place"}',
            headers={**LOCAL, "content-type": media_type},
        )
        assert response.status == 415


# -- what it answers ---------------------------------------------------------------------------


async def test_dead_letters_are_listed_shown_and_sent_again(shop):
    """Groups, the letters of one, one with its inside, and the redrive."""
    test_app, switch, place, _ = shop
    ids = await kill(test_app, place, ["1001", "1002"])
    (group,) = (await get(test_app, "/admin/dead"))["groups"]
    assert (group["operation"], group["kind"], group["count"]) == ("place", "exhausted", 2)
    page = await get(test_app, "/admin/dead?operation=place&count=1")
    assert [job["id"] for job in page["jobs"]] == [ids[1]]
    page = await get(test_app, f"/admin/dead?operation=place&cursor={page['cursor']}")
    assert [job["id"] for job in page["jobs"]] == [ids[0]]
    inside = await get(test_app, f"/admin/jobs/{ids[0]}")
    assert inside["payload"] == {"key": "1001", "amount": 1}
    assert inside["cause"] == group["cause"]
    assert inside["attempts"][0]["exception"].startswith("Traceback")
    outside = await test_app.request("GET", f"/jobs/{ids[0]}")
    assert b"Traceback" not in outside.body
    assert b"10.0.0.7" not in outside.body
    switch.broken = False
    done = await beside(
        test_app, post(test_app, "/admin/dead/redrive", {"operation": "place", "canary": True})
    )
    assert (done["redriven"], done["stopped"], done["canary"]["status"]) == (2, False, "succeeded")
    assert (await get(test_app, "/admin/dead"))["groups"] == []


async def test_an_edited_payload_that_does_not_fit_is_a_422_with_its_places(shop):
    """As at the operation's own door."""
    test_app, switch, place, _ = shop
    (job_id,) = await kill(test_app, place, ["1001"])
    wish = {"ids": [job_id], "payload": {"key": "a", "amount": "much"}}
    problem = await post(test_app, "/admin/dead/redrive", wish, 422)
    assert problem["type"] == "/problems/invalid-input"
    assert [error["pointer"] for error in problem["errors"]] == ["/amount"]
    switch.broken, switch.ran = False, []
    wish["payload"]["amount"] = 3
    assert (await post(test_app, "/admin/dead/redrive", wish))["redriven"] == 1
    await test_app.drain()
    assert switch.ran == ["a"]


async def test_purge_pause_resume_and_statistics(shop):
    """The other things operators do."""
    test_app, _, place, _ = shop
    await kill(test_app, place, ["1001"])
    assert await post(test_app, "/admin/pause", {"operation": "place"}) == {
        "operation": "place",
        "paused": True,
    }
    await test_app.enqueue(place, Order(key="a", amount=1))
    await test_app.advance(7)
    (statistics,) = (await get(test_app, "/admin/stats"))["operations"]
    assert (statistics["paused"], statistics["dead"], statistics["waiting"]) == (True, 1, 1)
    assert statistics["counts"]["queued"] == 1
    assert statistics["oldest_seconds"] == pytest.approx(7)
    await post(test_app, "/admin/resume", {"operation": "place"})
    assert await post(test_app, "/admin/dead/purge", {"operation": "place"}) == {"purged": 1}
    problem = await post(test_app, "/admin/pause", {"operation": "plaice"}, 404)
    assert problem["type"] == "/problems/not-found"


async def test_jobs_are_listed_by_operation_and_status(shop):
    """Newest first, in pages."""
    test_app, _, place, note = shop
    await kill(test_app, place, ["1"])
    waiting = [(await test_app.enqueue(note, Order(key=key, amount=1))).id for key in "abc"]
    page = await get(test_app, "/admin/jobs?status=queued,running&operation=note,place&count=2")
    assert [job["id"] for job in page["jobs"]] == waiting[:0:-1]
    page = await get(test_app, f"/admin/jobs?status=queued&count=2&cursor={page['cursor']}")
    assert [job["id"] for job in page["jobs"]] == waiting[:1]
    assert page["cursor"] is None
    assert len((await get(test_app, "/admin/jobs"))["jobs"]) == 4


@pytest.mark.parametrize(
    ("wish", "body", "status", "pointer"),
    [
        ("GET /admin/jobs?status=dead", None, 422, "/status"),
        ("GET /admin/jobs?count=0", None, 422, "/count"),
        ("GET /admin/jobs?state=failed", None, 422, "/state"),
        ("GET /admin/jobs?cursor=nonsense", None, 422, "/cursor"),
        ("GET /admin/jobs/nobody", None, 404, None),
        ("POST /admin/dead/redrive", {}, 422, None),
        ("POST /admin/dead/redrive", {"operation": "x", "per_second": 0}, 422, "/per_second"),
        ("POST /admin/dead/redrive", {"operation": "x", "payload": {}}, 422, "/payload"),
        ("POST /admin/dead/redrive", {"ids": ["nobody"], "payload": {}}, 404, None),
        ("POST /admin/dead/purge", {}, 422, None),
        ("POST /admin/dead/purge", {"ids": "x"}, 422, "/ids"),
        ("POST /admin/pause", {}, 422, "/operation"),
        ("POST /admin/pause", [], 422, None),
    ],
)
async def test_a_wrong_wishis_a_problem(shop, wish, body, status, pointer):
    """It names the place."""
    test_app, *_ = shop
    response = await test_app.request(*wish.split(), json=body, headers=LOCAL)
    assert response.status == status, response.body
    problem = response.json()
    assert problem["status"] == status
    if pointer is not None:
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_redrive_of_nobody_does_nothing_and_says_so(shop):
    """The ids that are left are named."""
    test_app, *_ = shop
    done = await post(test_app, "/admin/dead/redrive", {"ids": ["nobody"]})
    assert (done["redriven"], done["left"]) == (0, ["nobody"])


async def test_the_page_shows_what_died_and_runs_nothing_but_its_own_script(shop):
    """What a payload or an exception says is text, whatever it looks like."""
    test_app, switch, place, _ = shop
    switch.broken = True
    await kill(test_app, place, ['"><script>alert(1)</script>'])
    response = await test_app.request("GET", "/admin", headers=LOCAL)
    assert response.status == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    page = response.body.decode()
    assert "<script>alert" not in page
    assert page.count("<script>") == 1
    assert "ConnectionError: order" in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert b64encode(sha256(script.encode()).digest()).decode() in policy
    (body,) = re.findall(r'data-path="/dead/redrive" data-body="(.*?)"', page)
    switch.broken = False
    done = await beside(test_app, post(test_app, "/admin/dead/redrive", json.loads(unescape(body))))
    assert (done["redriven"], done["stopped"]) == (1, False)
