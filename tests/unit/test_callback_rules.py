"""Which URLs, addresses and secrets are taken, and what a request with a Callback-URL is told."""

import base64
import sys
from ipaddress import ip_network

import pytest
from wire import Stream, scope

from eitherway import App, ConfigurationError
from eitherway.callback.addresses import parse_networks, refusal
from eitherway.callback.destination import Destination
from eitherway.callback.rules import AllowList, Secrets
from eitherway.settings import Settings
from eitherway.testing import TestApp

SECRET = "whsec_" + base64.b64encode(bytes(24)).decode()
OTHER = "whsec_" + base64.b64encode(bytes(64)).decode()


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://Hooks.Example.com", ("https", "hooks.example.com", 443, "/")),
        ("https://a.example/x?y=%20z", ("https", "a.example", 443, "/x?y=%20z")),
        ("https://a.example?y", ("https", "a.example", 443, "/?y")),
        ("http://a.example:8080/", ("http", "a.example", 8080, "/")),
        ("https://[2001:DB8::0:1]:444/", ("https", "2001:db8::1", 444, "/")),
        ("https://192.0.2.1/", ("https", "192.0.2.1", 443, "/")),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443, "/")),
    ],
)
def test_a_url_is_read(url, parts):
    found = Destination.parse(url)
    assert (found.scheme, found.host, found.port, found.target) == parts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com/x",
        "//hooks.example.com/x",
        "ftp://hooks.example.com/",
        "https:/hooks.example.com/",
        "https:///x",
        "https://user@hooks.example.com/",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/#x",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nx: y",
        "https://hooks.example.com/é",
        "https://bücher.example/",
        "https://*.example.com/",
        "https://hooks_1.example.com/",
        "https://-hooks.example.com/",
        "https://hooks..example.com/",
        "https://hooks.example.com./",
        f"https://{'a' * 64}.example/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:65536/",
        "https://hooks.example.com:x/",
        "https://hooks.example.com/a/../b",
        "https://hooks.example.com/a/%2E%2e/b",
        "https://hooks.example.com/./b",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://[127.0.0.1]/",
        "https://2130706433/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.0x1/",
        "https://1.2.3.4.5/",
        "https://hooks.example.com/" + "x" * 2048,
    ],
)
def test_what_could_be_read_in_two_ways_is_not_taken(url):
    with pytest.raises(ValueError, match=r"."):
        Destination.parse(url)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("fd12:3456::1", "private"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.169.254", "the cloud's metadata"),
        ("169.254.170.2", "the cloud's metadata"),
        ("168.63.129.16", "the cloud's metadata"),
        ("fd00:ec2::254", "the cloud's metadata"),
        ("100.100.100.200", "the cloud's metadata"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("192.0.2.1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:a9fe:a9fe", "the cloud's metadata"),
        ("::127.0.0.1", "reserved"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b:1::1", "private"),
        ("2002:7f00:1::", "loopback"),
        ("4000::1", "reserved"),
        ("93.184.216.34", None),
        ("2606:2800:220:1::1", None),
        ("64:ff9b::5db8:d822", None),
        ("::ffff:93.184.216.34", None),
    ],
)
def test_only_public_addresses_are_taken(address, why):
    assert refusal(address, []) == why


def test_a_network_may_be_allowed():
    allowed = parse_networks("10.0.0.0/8, fd00::/8,")
    assert allowed == [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    assert refusal("10.1.2.3", allowed) is None
    assert refusal("::ffff:10.1.2.3", allowed) is None
    assert refusal("fd00::7", allowed) is None
    assert refusal("192.168.0.1", allowed) == "private"
    with pytest.raises(ConfigurationError, match="EITHERWAY_CALLBACK_NETWORKS"):
        parse_networks("10.0.0.1/8")


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("https://a.example", "https://a.example/x?y", True),
        ("https://a.example/x", "https://a.example/x", True),
        ("https://a.example/x", "https://a.example/x/y", True),
        ("https://a.example/x", "https://a.example/xy", False),
        ("https://a.example/x/", "https://a.example/x", False),
        ("https://a.example", "https://b.a.example/", False),
        ("https://a.example", "https://a.example.evil.example/", False),
        ("https://a.example", "http://a.example/", False),
        ("https://a.example", "https://a.example:8443/", False),
        ("https://a.example:8443", "https://a.example:8443/", True),
        ("http://a.example:80", "http://a.example/", True),
        ("https://*.a.example", "https://b.c.a.example/", True),
        ("https://*.a.example", "https://a.example/", False),
        ("https://*.a.example", "https://ba.example/", False),
        ("*", "https://a.example/", True),
        ("*", "https://a.example:8443/", False),
        ("*", "http://a.example/", False),
    ],
)
def test_an_entry_allows_what_is_below_it(entry, url, allowed):
    assert AllowList.of([entry], "here").allows(Destination.parse(url)) is allowed


def test_secrets_are_of_everybody_or_of_some():
    secrets = Secrets(f"{SECRET}, https://a.example/={OTHER}\nhttps://a.example/x={SECRET}")
    assert secrets.of(Destination.parse("https://b.example/")) == [SECRET]
    assert secrets.of(Destination.parse("https://a.example/y")) == [OTHER]
    assert secrets.of(Destination.parse("https://a.example/x/y")) == [SECRET]


@pytest.mark.parametrize(
    "text",
    [
        "hunter22",
        "whsec_ünïcödé",
        "whsec_",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_not base64 at all, is it?",
        SECRET.removeprefix("whsec_"),
        f"nowhere={SECRET}",
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_shown(text):
    with pytest.raises(ConfigurationError, match="EITHERWAY_CALLBACK_SECRETS") as error:
        Secrets(text)
    assert (text.rpartition("whsec_")[2] or "\0") not in str(error.value)


def settings(**more) -> Settings:
    given = {"callback_urls": "https://a.example/x,*", "callback_secrets": SECRET}
    return Settings(**{**given, **more})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"callback_secrets": None}, "EITHERWAY_CALLBACK_SECRETS"),
        ({"callback_urls": ""}, "EITHERWAY_CALLBACK_URLS"),
        ({"callback_urls": "hooks.example.com"}, "EITHERWAY_CALLBACK_URLS"),
        ({"callback_networks": "10"}, "EITHERWAY_CALLBACK_NETWORKS"),
    ],
)
async def test_an_app_whose_callbacks_can_go_nowhere_does_not_start(more, says):
    app = App("shop")
    app.post("/echo", delivery="queued", callbacks=True)(echo)
    with pytest.raises(ConfigurationError, match=says):
        async with TestApp(app, settings=settings(**more)):
            pass


async def test_an_app_without_the_extra_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("eitherway.webhooks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    app = App("shop")
    app.post("/echo", delivery="queued", callbacks=True)(echo)
    with pytest.raises(ConfigurationError, match=r"pip install .eitherway\[webhooks\]"):
        async with TestApp(app, settings=settings()):
            pass


@pytest.mark.parametrize(
    "policies", [{"path": "/echo"}, {"path": "/echo", "delivery": "direct"}, {"path": None}]
)
def test_callbacks_are_refused_where_no_request_makes_a_job(policies):
    app = App("shop")
    path = policies.pop("path")
    declare = app.operation if path is None else lambda **more: app.post(path, **more)
    with pytest.raises(ConfigurationError, match="callbacks are of jobs that requests make"):
        declare(callbacks=True, **policies)(echo)


async def echo(text: str) -> str:
    return text


@pytest.fixture
async def shop():
    app = App("shop")
    app.post("/echo", delivery="queued", callbacks=True)(echo)
    app.post("/own", name="own", delivery="queued", callbacks="https://b.example/")(echo)
    app.post("/plain", name="plain", delivery="queued")(echo)
    app.post("/direct", name="direct")(echo)
    async with TestApp(app, settings=settings()) as shop:
        yield shop


async def post(shop, url, path="/echo"):
    headers = {} if url is None else {"callback-url": url}
    response = await shop.request("POST", f"{path}?text=hi", headers=headers)
    return response.status, response.json().get("type", "").removeprefix("/problems/")


@pytest.mark.parametrize(
    ("path", "url", "answer"),
    [
        ("/echo", None, (202, "")),
        ("/echo", "https://a.example/x", (202, "")),
        ("/echo", "https://anywhere.example/", (202, "")),
        ("/own", "https://b.example/y", (202, "")),
        ("/own", "https://a.example/x", (422, "callback-not-allowed")),
        ("/echo", "http://a.example/x", (422, "callback-not-allowed")),
        ("/echo", "https://127.0.0.1/", (422, "callback-not-allowed")),
        ("/echo", "https://[::ffff:10.0.0.1]/", (422, "callback-not-allowed")),
        ("/echo", "https://169.254.169.254/", (422, "callback-not-allowed")),
        ("/echo", "https://2130706433/", (400, "callback-invalid")),
        ("/echo", "https://u:p@a.example/x", (400, "callback-invalid")),
        ("/echo", "", (400, "callback-invalid")),
        ("/echo", "https://a.example/" + "x" * 2048, (400, "callback-invalid")),
        ("/plain", "https://a.example/x", (400, "callback-unsupported")),
        ("/direct", "https://a.example/x", (400, "callback-unsupported")),
    ],
)
async def test_a_request_is_told_by_name_what_is_wrong(shop, path, url, answer):
    assert await post(shop, url, path) == answer
    waiting = await shop.runtime.engine.waiting(["echo", "own", "plain"])
    assert sum(waiting) == (answer[0] == 202)


async def test_one_url_is_given_and_not_two(shop):
    asked = scope("http", "/echo?text=hi", {"callback-url": "https://a.example/x"}, method="POST")
    asked["headers"].append((b"callback-url", b"https://a.example/x"))
    stream = Stream(shop, {**asked, "scheme": "http"})
    stream.hear("http.request", body=b"")
    assert (await stream.sent())["status"] == 400
    assert b"callback-invalid" in (await stream.sent())["body"]
