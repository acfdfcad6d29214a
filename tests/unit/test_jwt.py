"""Tokens of an issuer: what is taken, what is not, and how seldom the issuer is asked."""

import asyncio
import base64
import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
from authed import bearing, serving, shop
from issuers import EC, FAR, OTHER_RSA, RSA, Issuer, jwk, pem, token

from eitherway import ConfigurationError
from eitherway.auth import Anonymous, ApiKeys, Jwt
from eitherway.testing import TestApp

SECRET = "s" * 32


@pytest.fixture
def issuer():
    with Issuer() as running:
        yield running


def taking(issuer, **more):
    return Jwt(jwks_url=issuer.url, issuer="https://issuer", audience="shop", **more)


async def answer(served, shown):
    return await served.request("POST", "/direct", headers=bearing(shown))


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA, "one", "RS256"), (EC, "two", "ES256")])
async def test_a_good_token_says_who_calls(issuer, key, kid, algorithm):
    async with serving(taking(issuer)) as served:
        good = await answer(served, token(key, kid=kid, algorithm=algorithm))
        assert (good.status, good.json()) == (200, "ada")
        many = token(key, kid=kid, algorithm=algorithm, aud=["x", "shop"])
        assert (await answer(served, many)).status == 200
        assert issuer.asked == 1


def unsigned(**header):
    """A token whose parts are well formed, and whose signature is empty."""
    said = {"iss": "https://issuer", "aud": "shop", "sub": "ada", "exp": FAR}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (header, said)]
    return b".".join(part.rstrip(b"=") for part in parts).decode() + "."


def signed_with_the_public_key():
    """The key confusion: HS256, whose secret is what everybody may know."""
    import hashlib
    import hmac

    head = unsigned(alg="HS256", kid="one", typ="JWT").rstrip(".")
    mac = hmac.new(pem(RSA).encode(), head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


BAD = {
    "expired": lambda: token(exp=1),
    "not yet valid": lambda: token(nbf=FAR),
    "no exp": lambda: token(exp=None),
    "exp is text": lambda: token(exp="soon"),
    "exp is a list": lambda: token(exp=[1]),
    "exp is infinite": lambda: token(exp=float("inf")),
    "exp is no number": lambda: token(exp=float("nan")),
    "another issuer": lambda: token(iss="https://other"),
    "no issuer": lambda: token(iss=None),
    "another audience": lambda: token(aud="bank"),
    "no audience": lambda: token(aud=None),
    "no subject": lambda: token(sub=None),
    "an empty subject": lambda: token(sub=""),
    "a long subject": lambda: token(sub="a" * 256),
    "a subject of several lines": lambda: token(sub="a\nb"),
    "another's key": lambda: token(OTHER_RSA),
    "no kid": lambda: token(kid=None),
    "a kid of a number": lambda: unsigned(alg="RS256", kid=1),
    "an unknown kid": lambda: token(kid="three"),
    "alg none": lambda: unsigned(alg="none", kid="one"),
    "alg None": lambda: unsigned(alg="NoNe", kid="one"),
    "alg null": lambda: unsigned(alg=None, kid="one"),
    "alg a list": lambda: unsigned(alg=["RS256"], kid="one"),
    "no alg": lambda: unsigned(kid="one"),
    "no signature": lambda: unsigned(alg="RS256", kid="one"),
    "HS256 with the public key": signed_with_the_public_key,
    "another key's algorithm": lambda: token(RSA, kid="two"),
    "another algorithm": lambda: token(algorithm="RS512"),
    "a critical extension": lambda: token(headers={"crit": ["x"], "x": 1}),
    "detached": lambda: unsigned(alg="RS256", kid="one", b64=False),
    "a jku of its own": lambda: token(OTHER_RSA, headers={"jku": "http://127.0.0.1:1/"}),
    "a key of its own": lambda: token(OTHER_RSA, headers={"jwk": jwk(OTHER_RSA, "one")}),
    "oversized": lambda: token(more="x" * 8_000),
    "vast": lambda: "a" * 3_000_000 + ".b.c",
    "deep": lambda: base64.urlsafe_b64encode(b"[" * 5_000).decode() + ".e30.e30",
    "dots": lambda: "..",
    "more dots": lambda: "a.b.c.d.e",
    "no base64": lambda: "é.ü.ñ",
    "no JSON": lambda: "AAAA.AAAA.AAAA",
    "encrypted": lambda: "eyJhbGciOiJSU0EtT0FFUCJ9.OKOa.48V1.5eym.XFBo",
    "nothing": lambda: "",
    "an API key": lambda: f"ew_{'0' * 16}_{'0' * 64}",
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_bad_token_is_a_401(issuer, bad):
    """Of every kind, also where anybody may come in without any; the issuer is asked once."""
    async with serving([taking(issuer), Anonymous()]) as served:
        got = await answer(served, BAD[bad]())
        assert got.status == 401, got.body
        assert got.headers["www-authenticate"] == 'Bearer realm="eitherway", error="invalid_token"'
        assert not served.app.asked
        assert issuer.asked <= 1


async def test_nonsense_does_not_make_the_gateway_ask_and_ask(issuer):
    """A hundred tokens under keys that are not: one fetch; and the good go on."""
    async with serving(taking(issuer, jwks_pause_seconds=3_600)) as served:
        shown = [token(kid=f"no{number}") for number in range(100)]
        answers = await asyncio.gather(*(answer(served, each) for each in shown))
        assert {each.status for each in answers} == {401}
        assert (await answer(served, token())).status == 200
        assert issuer.asked == 1


async def test_a_new_key_is_found(issuer):
    """Rotation: the first token under it has the keys fetched, once for all who come meanwhile."""
    async with serving(taking(issuer, jwks_pause_seconds=0)) as served:
        assert (await answer(served, token())).status == 200
        issuer.keys.append(jwk(OTHER_RSA, "new"))
        fresh = token(OTHER_RSA, kid="new")
        answers = await asyncio.gather(*(answer(served, fresh) for _ in range(20)))
        assert {each.status for each in answers} == {200}
        assert issuer.asked == 2


async def test_a_key_that_was_taken_back_opens_nothing(issuer):
    """Once they are fetched again, which no request has to wait for."""
    checking = taking(issuer, jwks_lifespan_seconds=0, jwks_pause_seconds=0)
    async with serving(checking) as served:
        assert (await answer(served, token())).status == 200
        issuer.keys = [jwk(EC, "two")]
        assert (await answer(served, token())).status == 200
        await checking._keys._fetching
        assert (await answer(served, token())).status == 401


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500},
        {"status": 302},
        {"body": b"no JSON"},
        {"body": b"[]"},
        {"body": b'{"keys": []}'},
        {"body": b'{"keys": [{"kty": "RSA", "kid": "one"}]}'},
        {"body": b'{"keys": {}}'},
        {"body": b"[" * 100_000},
    ],
    ids=lambda broken: str(broken)[:40],
)
async def test_without_an_issuer_known_keys_go_on(issuer, broken):
    """Whatever it answers: who is not known yet is told to come back (503), and is let in then."""
    checking = taking(issuer, jwks_lifespan_seconds=0, jwks_pause_seconds=0)
    async with serving(checking) as served:
        for name, value in broken.items():
            setattr(issuer, name, value)
        got = await answer(served, token())
        assert (got.status, got.json()["type"]) == (503, "/problems/authentication-unavailable")
        issuer.status, issuer.body = 200, None
        assert (await answer(served, token())).status == 200
        for name, value in broken.items():
            setattr(issuer, name, value)
        for _ in range(3):
            assert (await answer(served, token())).status == 200
        assert (await answer(served, token(kid="unknown"))).status == 503


async def test_an_issuer_that_is_down_is_not_asked_for_each_request(issuer):
    issuer.status = 500
    async with serving(taking(issuer, jwks_pause_seconds=3_600)) as served:
        answers = await asyncio.gather(*(answer(served, token()) for _ in range(20)))
        answers += [await answer(served, token())]
        assert {each.status for each in answers} == {503}
        assert issuer.asked == 1


async def test_a_key_may_be_given(issuer):
    given = Jwt(key=pem(RSA), issuer="https://issuer", audience="shop")
    async with serving(given) as served:
        assert (await answer(served, token(kid=None))).status == 200
        assert (await answer(served, signed_with_the_public_key())).status == 401
        assert (await answer(served, token(OTHER_RSA))).status == 401
        assert issuer.asked == 0


async def test_a_secret_may_be_shared():
    given = Jwt(key=SECRET, algorithms=["HS256"], issuer="https://issuer", audience=None)
    async with serving(given) as served:
        good = token(SECRET, kid=None, algorithm="HS256", aud=None)
        assert (await answer(served, good)).json() == "ada"
        for bad in (token(kid=None, aud=None), token("x" * 32, algorithm="HS256", aud=None)):
            assert (await answer(served, bad)).status == 401
        assert (await answer(served, token(SECRET, algorithm="HS256"))).status == 401


async def test_another_claim_may_name_the_principal(issuer):
    """And a prefix keeps the names of two issuers apart."""
    async with serving(taking(issuer, claim="email", prefix="a|")) as served:
        assert (await answer(served, token(email="ada@example"))).json() == "a|ada@example"
        assert (await answer(served, token())).status == 401
        assert (await answer(served, token(email=7))).status == 401


async def test_leeway_is_for_clocks_that_differ(issuer):
    import time

    late = token(exp=int(time.time()) - 30)
    async with serving(taking(issuer)) as served:
        assert (await answer(served, late)).status == 401
    async with serving(taking(issuer, leeway_seconds=3_600)) as served:
        assert (await answer(served, late)).status == 200


async def test_keys_and_tokens_beside_each_other(issuer):
    async with serving([ApiKeys(), taking(issuer)]) as served:
        assert (await answer(served, token())).status == 200
        challenges = (await served.request("POST", "/direct")).headers["www-authenticate"]
        assert challenges == 'Bearer realm="eitherway"'


COMMON = {"issuer": "https://issuer", "audience": "shop"}
WRONG = [
    ({}, "jwks_url"),
    ({"key": "k", "jwks_url": "http://127.0.0.1/"}, "not both"),
    ({"jwks_url": "ftp://127.0.0.1/jwks.json"}, "http"),
    ({"jwks_url": "http://127.0.0.1/", "algorithms": ["HS256"]}, "HS256"),
    ({"key": SECRET, "algorithms": ["HS256", "RS256"]}, "HS256"),
    ({"key": "short", "algorithms": ["HS256"]}, "32"),
    ({"key": pem(RSA), "algorithms": ["HS256"]}, "PEM"),
    ({"key": SECRET, "algorithms": ["none"]}, "algorithms"),
    ({"key": SECRET, "algorithms": []}, "algorithms"),
]


@pytest.mark.parametrize(("options", "word"), WRONG)
def test_what_would_let_anybody_in_is_refused(options, word):
    with pytest.raises(ConfigurationError, match=word):
        Jwt(**COMMON, **options)


def without(monkeypatch, module):
    """As where this module is not installed."""
    for place in ("jwt_tokens", "tickets"):
        monkeypatch.setattr(
            f"eitherway.auth.{place}.find_spec",
            lambda name: None if name == module else find_spec(name),
        )


def test_a_missing_pyjwt_is_one_line(monkeypatch):
    """That says what to install."""
    without(monkeypatch, "jwt")
    with pytest.raises(ConfigurationError, match=r'PyJWT: pip install "eitherway\[auth\]"$'):
        Jwt(**COMMON, key=SECRET, algorithms=["HS256"])


async def test_a_missing_itsdangerous_is_one_line(monkeypatch):
    """When the app opens; not where nobody is asked."""
    without(monkeypatch, "itsdangerous")
    with pytest.raises(ConfigurationError, match=r'gerous: pip install "eitherway\[auth\]"$'):
        await shop(ApiKeys()).open()
    async with TestApp(shop(Anonymous())):
        pass


def test_eitherway_itself_needs_neither():
    """Not to be imported, and not for API keys to be declared."""
    code = (
        "import sys; sys.modules.update(jwt=None, itsdangerous=None, cryptography=None);"
        "import eitherway.cli.main; from eitherway.auth import ApiKeys; ApiKeys()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
