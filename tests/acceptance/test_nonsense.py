"""Raw nonsense on a socket has its code, and the connection its end (ERR-1 to ERR-4)."""

import asyncio
import gzip

import pytest
from raw import Raw, exchange, post
from service import Service

GET = b"GET /livez HTTP/1.1\r\n"
STEP = b'{"key":"k","note":"n"}'
CHUNKED = "transfer-encoding: chunked"
BODY_BYTES_MAX = 262_144


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One gateway for all of them: what one kind does to it, the next would feel."""
    with Service(tmp_path_factory.mktemp("nonsense"), "gateway") as service:
        asyncio.run(service.ready())
        yield service
        assert service.process.poll() is None, service.log.read_text()
        assert "Traceback" not in service.log.read_text()


MALFORMED = {
    "no host": GET + b"\r\n",
    "two hosts": GET + b"host: a\r\nhost: b\r\n\r\n",
    "a host that is none": GET + b"host: a b\r\n\r\n",
    "a host with a line's end": GET + b"host: a\x0bb\r\n\r\n",
    "no colon": GET + b"host: a\r\nnonsense\r\n\r\n",
    "space before the colon": GET + b"host : a\r\n\r\n",
    "two lengths": post("/increments", STEP, "content-length: 3"),
    "a length and chunks": post("/increments", b"0\r\n\r\n", CHUNKED, "content-length: 5"),
    "a length that is none": post("/increments", STEP, length=-1),
    "chunked, but not at last": post("/increments", STEP, "transfer-encoding: chunked, gzip"),
    "a chunk of no size": post("/increments", b"xyz\r\nabc\r\n0\r\n\r\n", CHUNKED),
    "a chunk of a negative size": post("/increments", b"-5\r\nabcde\r\n0\r\n\r\n", CHUNKED),
    "a chunk larger than any number": post("/increments", b"f" * 40 + b"\r\nabc", CHUNKED),
    "a chunk longer than its size": post("/increments", b"1\r\nabcde\r\n0\r\n\r\n", CHUNKED),
    "tiny chunks without end": post("/increments", b"1\r\n \r\n" * 20_000, CHUNKED),
    "an extension without end": post("/increments", b"1;" + b"x" * 200_000, CHUNKED),
    "binary": bytes(range(256)) * 10,
    "a TLS hello": bytes.fromhex("16030100f1010000ed0303") + b"\x00" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9": b"GET / HTTP/9.9\r\nhost: a\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nhost: a\r\n\r\n",
    "an unknown method": b"NONSENSE / HTTP/1.1\r\nhost: a\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nhost: a\r\n\r\n",
    "a path that is none": "GET /ü HTTP/1.1\r\nhost: a\r\n\r\n".encode(),
    "a NUL in a header": GET + b"host: a\r\nx: \x00\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_no_http_is_a_400_and_the_connection_is_closed(gateway, name):
    """A problem as any other, and nothing after it."""
    async with Raw(gateway.url) as raw:
        await raw.send(MALFORMED[name])
        reply = await raw.reply()
        assert (reply.status, reply.problem) == (400, "malformed-request")
        assert reply.headers["connection"] == "close"
        assert await raw.rest() == b""


TOO_LONG = {
    "a URL": (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414, "url-too-long"),
    "a URL without end": (b"GET /" + b"x" * 2_000_000, 414, "url-too-long"),
    "a query": (b"GET /?" + b"x=1&" * 9_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414, "url-too-long"),
    "a header": (GET + b"host: a\r\nx: " + b"x" * 40_000 + b"\r\n\r\n", 431, "headers-too-large"),
    "a header without end": (GET + b"host: a\r\nx: " + b"x" * 2_000_000, 431, "headers-too-large"),
    "many headers": (GET + b"host: a\r\n" + b"x: y\r\n" * 200 + b"\r\n", 431, "headers-too-large"),
    "headers without end": (GET + b"host: a\r\n" + b"x: y\r\n" * 100_000, 431, "headers-too-large"),
    "trailers without end": (
        post("/increments", b"2\r\n{}\r\n0\r\nx: " + b"y" * 400_000, CHUNKED),
        400, "malformed-request",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LONG)
async def test_what_is_too_long_is_refused_before_its_end(gateway, name):
    """414 or 431, readable although the client still sends; then the connection is closed."""
    data, status, problem = TOO_LONG[name]
    async with Raw(gateway.url) as raw:
        sending = asyncio.ensure_future(raw.send(data))
        reply = await raw.reply()
        assert (reply.status, reply.problem) == (status, problem)
        assert reply.headers["connection"] == "close"
        assert await raw.rest() == b""
        await sending


async def test_headers_up_to_the_limit_are_served(gateway):
    """A long URL, a long header, and many, each just within."""
    for data in (
        b"GET /livez?" + b"x" * 8_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        GET + b"host: a\r\nx: " + b"x" * 32_000 + b"\r\n\r\n",
        GET + b"host: a\r\n" + b"x: y\r\n" * 99 + b"\r\n",
    ):
        assert (await exchange(gateway.url, data)).status == 200
        async with Raw(gateway.url) as raw:  # and in pieces
            for start in range(0, len(data), 5_000):
                await raw.send(data[start : start + 5_000])
            assert (await raw.reply()).status == 200


async def test_a_body_past_the_limit_is_a_413_before_it_is_read(gateway):
    """By its length, without a 100; by its chunks, without a length; the connection is closed."""
    async with Raw(gateway.url) as raw:
        await raw.send(post("/increments", b"", "expect: 100-continue", length=BODY_BYTES_MAX + 1))
        assert (await raw.reply()).status == 413  # and no 100 before it
    for chunk in (b"400\r\n" + b" " * 1024 + b"\r\n", b"fffff\r\n" + b" " * 0xFFFFF + b"\r\n"):
        async with Raw(gateway.url) as raw:
            await raw.send(post("/increments", b"", CHUNKED))
            sending = asyncio.ensure_future(raw.send(chunk * (2_000_000 // len(chunk))))
            reply = await raw.reply()
            assert (reply.status, reply.problem) == (413, "payload-too-large")
            assert reply.headers["connection"] == "close"
            assert await raw.rest() == b""
            await sending
    async with Raw(gateway.url) as raw:  # a chunk that only says that it is huge
        await raw.send(post("/increments", b"7fffffff\r\n", CHUNKED))
        sending = asyncio.ensure_future(raw.send(b" " * 2_000_000))
        assert (await raw.reply()).status == 413
        await sending


async def test_a_client_that_expects_a_100_gets_it(gateway):
    """And then the answer, on a connection that stays."""
    async with Raw(gateway.url) as raw:
        await raw.send(post("/increments", b"", "expect: 100-continue", length=len(STEP)))
        assert (await raw.reply()).status == 100
        await raw.send(STEP)
        assert (await raw.reply()).status == 202
        await raw.send(GET + b"host: a\r\n\r\n")
        assert (await raw.reply()).status == 200


async def test_a_gzip_bomb_is_not_inflated(gateway):
    """415, with what would be accepted."""
    bomb = gzip.compress(b" " * 100_000_000)
    reply = await exchange(gateway.url, post("/increments", bomb, "content-encoding: gzip"))
    assert (reply.status, reply.problem) == (415, "unsupported-encoding")
    assert reply.headers["accept-encoding"] == "identity"


BODIES = {
    "deep arrays": (b"[" * 200_000, 400),
    "deep objects": (b'{"a":' * 50_000, 400),
    "deep and whole": (b'{"key":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "deep NaN": (b"[" * 100_000 + b"NaN", 400),
    "NaN": (b'{"key":"k","note":NaN}', 400),
    "Infinity": (b'{"key":-Infinity}', 400),
    "a giant number": (b'{"key":"k","note":' + b"9" * 200_000 + b"}", 400),
    "a giant exponent": (b'{"key":"k","note":1e999999999}', 422),
    "invalid UTF-8": (b'{"key":"\xff\xfe"}', 400),
    "half a surrogate": (b'{"key":"\\ud800"}', 400),
    "an open string": (b'{"key":"' + b"a" * 100_000, 400),
    "nothing": (b"", 400),
    "a bare comma": (b",", 400),
    "UTF-16": ('{"key":"k"}'.encode("utf-16"), 400),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/answers/direct", "/answers/queued", "/either"])
async def test_a_malformed_body_has_its_code_in_every_delivery(gateway, path, name):
    """400 where it is not JSON, 422 where it is; never 500."""
    body, status = BODIES[name]
    reply = await exchange(gateway.url, post(path, body))
    assert (reply.status, reply.problem) == (
        status, "malformed-input" if status == 400 else "invalid-input",
    )  # fmt: skip
    assert len(reply.body) < 10_000


async def test_a_body_that_nobody_reads_ends_the_connection_at_last(gateway):
    """The answer is there at once; what comes after it is not read for ever."""
    async with Raw(gateway.url) as raw:
        await raw.send(post("/nowhere", b"", CHUNKED))
        assert (await raw.reply()).status == 404
        sending = asyncio.ensure_future(raw.send((b"1000\r\n" + b" " * 4096 + b"\r\n") * 5_000))
        assert await raw.rest() == b""
        await sending
    async with Raw(gateway.url) as raw:  # a body that ends soon costs no connection
        await raw.send(post("/nowhere", b"x" * 50_000) + GET + b"host: a\r\n\r\n")
        assert [(await raw.reply()).status for _ in range(2)] == [404, 200]


async def test_pipelined_requests_are_answered_in_order_up_to_a_limit(gateway):
    """Each with its own answer; who sends too many at a time has to send the rest again."""
    async with Raw(gateway.url) as raw:
        paths = [b"livez", b"nowhere", b"readyz"] * 7
        await raw.send(b"".join(b"GET /%b HTTP/1.1\r\nhost: a\r\n\r\n" % path for path in paths))
        statuses = [(await raw.reply()).status for _ in paths]
        assert statuses == [200, 404, 200] * 7
    async with Raw(gateway.url) as raw:
        await raw.send((GET + b"host: a\r\n\r\n") * 10_000)
        answered = (await raw.rest()).count(b"HTTP/1.1 200")
        assert 1 <= answered <= 33


async def test_nonsense_after_a_request_does_not_take_its_answer(gateway):
    """The request's own answer comes first, whole; then the refusal, then the end."""
    async with Raw(gateway.url) as raw:
        await raw.send(post("/increments", STEP) + b"\x16\x03\x01 nonsense\r\n\r\n")
        first, second = await raw.reply(), await raw.reply()
        assert (first.status, second.status) == (202, 400)
        assert await raw.rest() == b""
    async with Raw(gateway.url) as raw:  # a second one, whose own body is malformed
        await raw.send(post("/increments", STEP) + post("/increments", b"zz\r\n", CHUNKED))
        assert [(await raw.reply()).status for _ in range(2)] == [202, 400]


async def test_trailers_are_not_taken_for_headers(gateway):
    """What a proxy has checked are the headers: nothing is added to them after the body."""
    trailing = b"%x\r\n%b\r\n0\r\nprefer: wait=20\r\nhost: b\r\n\r\n" % (len(STEP), STEP)
    async with Raw(gateway.url) as raw:
        await raw.send(post("/increments", trailing, CHUNKED) + GET + b"host: a\r\n\r\n")
        reply = await raw.reply()
        assert reply.status == 202
        assert "preference-applied" not in reply.headers
        assert (await raw.reply()).status == 200


async def test_other_upgrades_are_not_made(gateway):
    """`Upgrade: h2c` is a plain request, its body included (RFC 9110, section 7.8)."""
    upgrade = ("connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABk")
    async with Raw(gateway.url) as raw:
        await raw.send(post("/increments", STEP, *upgrade) + GET + b"host: a\r\n\r\n")
        assert [(await raw.reply()).status for _ in range(2)] == [202, 200]


UPGRADE = "GET /events HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("", 400),
        ("sec-websocket-version: 13\r\n", 400),
        ("sec-websocket-version: 13\r\nsec-websocket-key: \xff\r\n", 400),
        ("sec-websocket-version: 8\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426),
        ("sec-websocket-version: x\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426),
        ("sec-websocket-version: 13\r\nsec-websocket-key: short\r\n", 400),
    ],
)
async def test_a_handshake_of_nonsense_is_refused(gateway, headers, status):
    """400, or 426 for another version; and the connection is closed."""
    async with Raw(gateway.url) as raw:
        await raw.send((UPGRADE + headers + "\r\n").encode("latin-1") + b"\x81\xff nonsense")
        assert (await raw.rest()).startswith(b"HTTP/1.1 %d" % status)


async def test_a_client_that_hung_up_in_the_middle_leaves_nothing(gateway):
    """In its headers, in its body, before its answer: the next one is served."""
    for data in (b"GET /li", post("/increments", STEP, length=1000), post("/increments", STEP)):
        async with Raw(gateway.url) as raw:
            await raw.send(data)
            raw.writer.write_eof()
            await raw.rest()
        async with Raw(gateway.url) as raw:
            await raw.send(data)
            raw.writer.transport.abort()
    assert (await exchange(gateway.url, GET + b"host: a\r\n\r\n")).status == 200


async def test_a_problem_with_many_errors_names_the_first_of_them(gateway):
    """Thousands of wrong values cost neither megabytes of answer nor seconds."""
    for count, shown in ((500, 100), (80_000, 1)):
        body = b"[" + b",".join([b"{}"] * count) + b"]"
        reply = await exchange(gateway.url, post("/listed", body))
        assert (reply.status, reply.problem) == (422, "invalid-input")
        assert len(reply.json()["errors"]) == shown
