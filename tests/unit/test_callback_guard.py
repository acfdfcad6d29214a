"""Where callbacks connect to, whatever a URL or a name says: nowhere inside, unless allowed."""

import socket
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest
from called_back import callbacks, make_app, settings

from eitherway.callback.addresses import parse_networks
from eitherway.callback.destination import Destination
from eitherway.callback.listener import Listener
from eitherway.job import JobState
from eitherway.testing import FakeClock, TestApp
from eitherway.webhooks.guard import DestinationRefusedError, Guard
from eitherway.webhooks.sender import Sender, UnreachableError
from sink import Sink
from tools import tool

LOOPBACK = parse_networks("127.0.0.0/8")


async def told(shop: TestApp, url: str):
    """The callback of a job to a URL that no door has looked at; where it got to."""
    job = shop.runtime.new_job(shop.runtime.operations.named("echo"), ("hi",), {})
    listener = Listener(url=url, jobs_url="http://testserver/jobs")
    await shop.runtime.engine.accept([replace(job, callback=listener.encode())])
    await shop.drain()
    found = await callbacks(shop) or await callbacks(shop, operation="eitherway.event")
    return found[0]


def taken(url: str) -> bool:
    """Whether it can be read at all; or else it has no chance to be looked up."""
    try:
        return bool(Destination.parse(url))
    except ValueError:
        return False


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.2",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "localhost",  # a name that resolves to loopback
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
    ],
)
async def test_no_connection_is_made_inside(host):
    """The whole set, past the door and with every URL allowed: a dead letter, and no connection."""
    async with Sink(host="127.0.0.1") as four, Sink(host="::1") as six:
        for sink in (four, six):
            url = f"http://{host}:{sink.port}/"
            given = settings(url if taken(url) else "*", callback_networks="")
            async with TestApp(make_app(), settings=given) as shop:
                job = await told(shop, url)
                assert (job.state, job.kind, job.attempt) == ("failed", "exhausted", 1)
                assert job.cause.startswith("DestinationRefusedError")
                why = "leads to" if taken(url) else "this URL is not taken"
                assert why in job.attempts[0].exception
                assert host not in str(job.error)  # the reason is for operators alone
    assert (four.connections, six.connections) == (0, 0)


async def test_what_was_allowed_by_network_is_called():
    """The same name, once its network is allowed; the dead letter is sent again and goes there."""
    async with Sink() as sink:
        url = f"http://localhost:{sink.port}/"
        given = settings(url, callback_networks="127.0.0.0/8,::1/128")
        async with TestApp(make_app(), settings=given) as shop:
            assert (await told(shop, url)).state is JobState.SUCCEEDED
    assert sink.received[0].headers["host"] == f"localhost:{sink.port}"


async def test_the_rules_of_now_count():
    """A URL that has left the allow-list since is not called."""
    async with Sink() as sink, TestApp(make_app(), settings=settings("*")) as shop:
        assert (await told(shop, sink.url)).cause.startswith("DestinationRefusedError")
    assert sink.connections == 0


def leading(*answers):
    """A resolver that gives these answers one after the other; `asked` counts."""
    given = list(answers)
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return given.pop(0) if len(given) > 1 else given[0]

    resolve.asked = asked
    return resolve


async def test_a_name_that_also_leads_inside_is_refused():
    resolve = leading(["93.184.216.34", "127.0.0.1"])
    with pytest.raises(DestinationRefusedError, match="loopback"):
        await Guard([], resolve).addresses(Destination.parse("https://a.example/"))


async def test_a_name_is_looked_up_once_an_attempt(monkeypatch):
    """What was checked is what is called: a name that changes its mind is not asked again."""
    monkeypatch.setattr(socket, "getaddrinfo", None)  # nobody else looks anything up
    async with Sink() as sink:
        resolve = leading(["127.0.0.1"], ["10.0.0.1"])
        sender = Sender(Guard(LOOPBACK, resolve), FakeClock())
        there = Destination.parse(f"http://a.example:{sink.port}/x%2Fy?z=%20+'1'")
        assert (await sender.post(there, {}, b"{}")).status == 204
        with pytest.raises(DestinationRefusedError, match="private"):
            await sender.post(there, {}, b"{}")
    assert resolve.asked == ["a.example", "a.example"]
    assert sink.received[0].headers["host"] == f"a.example:{sink.port}"
    assert sink.received[0].line == "POST /x%2Fy?z=%20+'1' HTTP/1.1"


async def test_the_next_address_is_tried_where_one_does_not_answer():
    async with Sink(host="127.0.0.3") as sink:
        resolve = leading(["127.0.0.2", "127.0.0.3"])
        sender = Sender(Guard(LOOPBACK, resolve), FakeClock())
        there = Destination.parse(f"http://a.example:{sink.port}/")
        assert (await sender.post(there, {}, b"{}")).status == 204


async def test_a_name_that_is_none_may_be_one_later():
    async def resolve(host, port):
        raise socket.gaierror("no such name")

    sender = Sender(Guard([], resolve), FakeClock())
    with pytest.raises(UnreachableError, match="cannot be resolved"):
        await sender.post(Destination.parse("https://a.example/"), {}, b"{}")


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    async with Sink() as proxy, Sink() as sink:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        sender = Sender(Guard(LOOPBACK), FakeClock())
        assert (await sender.post(Destination.parse(sink.url), {}, b"{}")).status == 204
    assert (proxy.connections, sink.connections) == (0, 1)


# -- TLS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a self-signed certificate of a.example."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=a.example"]
    command += ["-addext", "subjectAltName=DNS:a.example", "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


@contextmanager
def trusting(monkeypatch, cert):
    with monkeypatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(cert))
        yield


async def test_the_certificate_is_of_the_name_though_its_address_is_called(
    certificate, monkeypatch
):
    """SNI, Host and the certificate's check go by the name; a wrong or unknown one is no answer."""
    key, cert = certificate
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    guard = Guard(LOOPBACK, leading(["127.0.0.1"]))
    async with Sink(tls=tls) as sink:
        with trusting(monkeypatch, cert):
            sender = Sender(guard, FakeClock())
            there = Destination.parse(f"https://a.example:{sink.port}/")
            assert (await sender.post(there, {}, b"{}")).status == 204
            wrong = Destination.parse(f"https://b.example:{sink.port}/")
            with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
                await sender.post(wrong, {}, b"{}")
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            await Sender(guard, FakeClock()).post(there, {}, b"{}")
    assert sink.names[:2] == ["a.example", "b.example"]
    assert len(sink.received) == 1
