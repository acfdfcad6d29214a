"""Tickets and subprotocol tokens: credentials for browsers, which send no headers of their own."""

import base64
import logging
from datetime import datetime

import pytest
from authed import bearing, caller, key_of, serving
from wire import Socket, Sse, connected

from eitherway.auth import Anonymous, ApiKeys, Authenticator, Principal
from eitherway.auth.keyring import Keyring
from eitherway.gateway.redaction import redact_tickets

PREFIX = "base64url.bearer.authorization.eitherway."


async def ticket_of(served, headers):
    answer = await served.request("POST", "/tickets", headers=headers)
    assert answer.status == 200, answer.body
    return answer.json()["ticket"]


async def made(served, headers):
    answer = await served.request("POST", "/queued", headers=headers)
    return answer.json()["id"]


async def refused(served, url="/events", **more):
    """The status that a handshake is answered with, before it is one."""
    socket = Socket(served, url, **more)
    started = await socket.sent()
    assert started["type"] == "websocket.http.response.start", started
    await socket.sent()
    await socket.over()
    fields = {name.decode(): value.decode() for name, value in started["headers"]}
    assert "sec-websocket-protocol" not in fields
    return started["status"], fields.get("www-authenticate")


async def comes_in(served, url="/events", **more):
    socket = await connected(served, url, **more)
    socket.hear("websocket.disconnect", code=1000)
    await socket.over()


async def test_a_ticket_is_for_who_has_shown_a_credential():
    async with serving() as served:
        assert (await served.request("POST", "/tickets")).status == 401
        ada = await caller(served, "ada")
        answer = await served.request("POST", "/tickets", headers=ada)
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        assert set(answer.json()) == {"ticket", "expires"}
        expires = datetime.fromisoformat(answer.json()["expires"]).timestamp()
        assert expires == pytest.approx(served.clock.now() + 60, abs=0.001)
        assert (await served.request("GET", "/tickets", headers=ada)).status == 405


async def test_a_ticket_opens_one_socket():
    """Here or at another gateway of the store: then it is used up."""
    async with serving(ApiKeys()) as served:
        ada = await caller(served, "ada")
        ticket = await ticket_of(served, ada)
        job_id = await made(served, ada)
        socket = await connected(served, f"/events?jobs={job_id}&ticket={ticket}")
        assert (await socket.event())["subject"] == job_id
        assert (await refused(served, f"/events?ticket={ticket}"))[0] == 401
        await served.advance(59)
        assert (await refused(served, f"/events?ticket={ticket}"))[0] == 401
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()


async def test_what_turns_a_handshake_away_uses_up_no_ticket():
    async with serving(ApiKeys(), connections_max=1) as served:
        ada = await caller(served, "ada")
        ticket = await ticket_of(served, ada)
        url = f"/events?ticket={ticket}"
        assert (await refused(served, url, offers=["chat"]))[0] == 400
        assert (await refused(served, url, origin="http://evil.example"))[0] == 403
        one = await connected(served, **ada)
        assert (await refused(served, url))[0] == 503
        one.hear("websocket.disconnect", code=1000)
        await one.over()
        await comes_in(served, url)


async def test_a_ticket_opens_streams_as_long_as_it_lives():
    """EventSource comes back with the same URL."""
    async with serving(ApiKeys(), ticket_seconds=30) as served:
        ada = await caller(served, "ada")
        job_id = await made(served, ada)
        ticket = await ticket_of(served, ada)
        for url in (f"/jobs/{job_id}/events?ticket={ticket}", f"/events?ticket={ticket}") * 2:
            stream = Sse(served, url)
            assert (await stream.start())["status"] == 200
            stream.hear("http.disconnect")
            await stream.over()
        await served.advance(30)
        answer = await served.request("GET", f"/events?ticket={ticket}")
        assert (answer.status, answer.json()["detail"]) == (401, "the ticket has expired")
        assert (await refused(served, f"/events?ticket={ticket}"))[0] == 401


async def test_a_ticket_opens_nothing_else():
    async with serving(ApiKeys()) as served:
        ada = await caller(served, "ada")
        job_id = await made(served, ada)
        ticket = await ticket_of(served, ada)
        for method, path in (("POST", "/direct"), ("GET", f"/jobs/{job_id}"), ("POST", "/tickets")):
            asked = await served.request(method, f"{path}?ticket={ticket}")
            assert asked.status == 401
            shown = await served.request(method, path, headers=bearing(ticket))
            assert shown.status == 401


async def test_the_longest_name_fits_a_ticket():
    async with serving(ApiKeys()) as served:
        name = "".join(chr(0x1F300 + number) for number in range(255))
        ticket = await ticket_of(served, await caller(served, name))
        stream = Sse(served, f"/events?ticket={ticket}")
        assert (await stream.start())["status"] == 200
        stream.hear("http.disconnect")
        await stream.over()


class Session(Authenticator):
    """A credential that ends in a minute and a half."""

    credential_headers = ("session",)

    async def open(self, engine, clock):
        self._ends = clock.now() + 90

    async def authenticate(self, headers):
        name = headers.get("session")
        return None if name is None else Principal(name, self._ends)


class Moody(Session):
    """Cannot tell whether it holds, then says that it does not."""

    asked = 0

    async def authenticate(self, headers):
        return Principal("ada") if "session" in headers else None

    async def holds(self, principal):
        self.asked += 1
        if self.asked == 1:
            raise ZeroDivisionError
        return self.asked < 3


async def test_an_authenticator_that_cannot_tell_is_asked_again(caplog):
    async with serving([Moody()]) as served:
        socket = await connected(served, session="ada")
        for _ in range(2):
            await served.advance(30)
            assert socket.quiet
        await served.advance(30)
        assert (await socket.sent())["code"] == 4401
        await socket.over()
    assert caplog.text.count("cannot be told") == 1


FORGED = ["", "a", "a.b", "é", "x" * 100_000, "eNqLVkosLcmIz00sSszJTFayUqhWSlSyUkpJLFaqBQB7nwh0.x"]


@pytest.mark.parametrize("forged", FORGED, ids=range(len(FORGED)))
async def test_what_is_no_ticket_opens_nothing(forged):
    """Also where anybody may come in: who has shown something is not taken for nobody."""
    from urllib.parse import quote

    for auth in (ApiKeys(), [ApiKeys(), Anonymous()]):
        async with serving(auth) as served:
            url = f"/events?jobs=x&ticket={quote(forged)}"
            assert (await served.request("GET", url)).status == 401
            assert (await refused(served, url))[0] == 401


async def test_a_ticket_that_was_changed_in_one_place_opens_nothing():
    async with serving(ApiKeys()) as served:
        ticket = await ticket_of(served, await caller(served, "ada"))
        for place in range(len(ticket) - 1):
            other = "A" if ticket[place] != "A" else "B"
            changed = ticket[:place] + other + ticket[place + 1 :]
            answer = await served.request("GET", f"/events?ticket={changed}")
            assert answer.status == 401, place


async def test_the_secret_is_the_stores_or_the_setting():
    """Gateways of one store agree, without anything being set; a ticket of another is none."""
    async with serving(ApiKeys()) as served:
        ada = await caller(served, "ada")
        ticket = await ticket_of(served, ada)
        served.app._gateway.push.entrance.tickets._signer = None  # as another process begins
        stream = Sse(served, f"/events?ticket={ticket}")
        assert (await stream.start())["status"] == 200
        stream.hear("http.disconnect")
        await stream.over()
    for secret in ("a" * 32, "b" * 32, None):
        async with serving(ApiKeys(), **({} if secret is None else {"secret": secret})) as other:
            assert (await other.request("GET", f"/events?ticket={ticket}")).status == 401


async def test_connections_end_with_the_credential():
    """4401, by ticket or not; a stream ends, and comes back to a 401 if at all."""
    async with serving([Session(), ApiKeys()], ticket_seconds=600) as served:
        answer = await served.request("POST", "/tickets", headers={"session": "ada"})
        expires = datetime.fromisoformat(answer.json()["expires"]).timestamp()
        assert expires == pytest.approx(served.clock.now() + 90, abs=0.001)
        ticket = answer.json()["ticket"]
        sockets = [
            await connected(served, session="ada"),
            await connected(served, f"/events?ticket={ticket}"),
        ]
        lasting = await connected(served, **await caller(served, "bob"))
        stream = Sse(served, f"/events?ticket={await ticket_of(served, {'session': 'ada'})}")
        await stream.start()
        await stream.chunk()
        await stream.chunk()
        await served.advance(89)
        assert all(socket.quiet for socket in sockets)
        await served.advance(1)
        for socket in sockets:
            assert (await socket.sent())["code"] == 4401
            await socket.over()
        while await stream.chunk():  # comments, then the end
            pass
        await stream.over()
        assert lasting.quiet
        lasting.hear("websocket.disconnect", code=1000)
        await lasting.over()


async def test_connections_end_when_a_key_is_revoked():
    """4401 within half a minute, by ticket or not; and its tickets open nothing."""
    async with serving(ApiKeys()) as served:
        keyring = Keyring(served.runtime.engine, served.clock)
        key, shown = await keyring.create("ada")
        ticket = await ticket_of(served, bearing(shown))
        unused = await ticket_of(served, bearing(shown))
        sockets = [
            await connected(served, **bearing(shown)),
            await connected(served, f"/events?ticket={ticket}"),
        ]
        other = await connected(served, **await caller(served, "ada"))
        await served.advance(30)
        assert all(socket.quiet for socket in sockets)
        await keyring.revoke(key.id)
        await served.advance(30)
        for socket in sockets:
            assert (await socket.sent())["code"] == 4401
            await socket.over()
        assert (await served.request("GET", f"/events?ticket={unused}")).status == 401
        assert other.quiet
        other.hear("websocket.disconnect", code=1000)
        await other.over()


def subprotocol(token):
    return PREFIX + base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()


async def test_a_token_may_be_offered_as_a_subprotocol():
    """WS-6: it is never chosen; a real one stands beside it."""
    async with serving(ApiKeys(header="X-API-Key")) as served:
        key = await key_of(served, "ada")
        job_id = await made(served, bearing(key))
        offers = [subprotocol(key), "cloudevents.json"]
        socket = await connected(served, f"/events?jobs={job_id}", offers=offers)
        assert (await socket.event())["subject"] == job_id
        socket.hear("websocket.disconnect", code=1000)
        await socket.over()
        assert (await refused(served, offers=[subprotocol(key)]))[0] == 400
        assert (await refused(served, offers=[*offers, subprotocol(key)]))[0] == 401
        assert (await refused(served, offers=offers, **bearing(key)))[0] == 401


@pytest.mark.parametrize(
    "offered", ["", "*", "a", "AAAA", "/wD/", "é", "A" * 20_000, subprotocol("x")[len(PREFIX) :]]
)
async def test_a_subprotocol_without_a_token_is_a_401(offered):
    async with serving([ApiKeys(), Anonymous()]) as served:
        got = await refused(served, offers=[PREFIX + offered, "cloudevents.json"], origin="null")
        assert got[0] == 403  # a page of another origin is turned away before anything is asked
        got = await refused(
            served, offers=[PREFIX + offered, "cloudevents.json"], origin="http://testserver"
        )
        assert got == (401, 'Bearer realm="eitherway", error="invalid_token"')


async def test_whoever_is_no_page_needs_a_token():
    """WS-5: without an Origin to be checked, a socket is for who has shown a credential."""
    async with serving() as served:
        assert await refused(served) == (401, 'Bearer realm="eitherway"')
        await comes_in(served, origin="http://testserver")
        await comes_in(served, **await caller(served, "ada"))
        assert (await refused(served, origin="http://evil.example"))[0] == 403
        ada = await caller(served, "ada")
        assert (await refused(served, origin="http://evil.example", **ada))[0] == 403


async def test_tickets_are_in_no_log_line(caplog):
    """As uvicorn writes them: with the whole URL, in the arguments of a line."""
    redact_tickets()
    redact_tickets()
    caplog.set_level(logging.INFO)
    for name in ("uvicorn.error", "uvicorn.access"):
        log = logging.getLogger(name)
        log.info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", "/events?ticket=se.cr-et&jobs=a")
        log.info(
            '%s - "%s %s HTTP/%s" %d',
            "127.0.0.1:1",
            "GET",
            "/events?a=1&ticket=se.cret",
            "1.1",
            200,
        )
        log.info("in the line itself: /events?ticket=se.cr_et")
    assert len(caplog.records) == 6
    assert "se.cr" not in caplog.text
    assert "/events?ticket=[hidden]&jobs=a" in caplog.text
    assert caplog.text.count("[hidden]") == 6
