"""Who a request is from: API keys, authenticators of one's own, and who is turned away."""

import pytest
from authed import bearing, caller, key_of, serving, shop

from eitherway import App, ConfigurationError
from eitherway.auth import (
    Anonymous,
    ApiKeys,
    Authenticator,
    AuthUnavailableError,
    CredentialError,
    Principal,
)
from eitherway.auth.keyring import KEY, Keyring
from eitherway.engine.values import ItemKey
from eitherway.testing import TestApp

NOBODY = 'Bearer realm="eitherway"'
BAD = 'Bearer realm="eitherway", error="invalid_token"'


async def test_an_api_key_says_who_calls():
    async with serving(ApiKeys()) as served:
        ada = await caller(served, "ada")
        answer = await served.request("POST", "/direct", headers=ada)
        assert (answer.status, answer.json()) == (200, "ada")
        bearer = {"authorization": ada["authorization"].replace("Bearer", "bEARER")}
        assert (await served.request("POST", "/direct", headers=bearer)).json() == "ada"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/direct"),
        ("POST", "/queued"),
        ("GET", "/jobs/00000000-0000-7000-8000-000000000001"),
        ("HEAD", "/jobs/00000000-0000-7000-8000-000000000001"),
        ("GET", "/jobs/00000000-0000-7000-8000-000000000001/result"),
        ("DELETE", "/jobs/00000000-0000-7000-8000-000000000001"),
        ("GET", "/jobs/00000000-0000-7000-8000-000000000001/events"),
        ("GET", "/events"),
        ("POST", "/tickets"),
    ],
)
async def test_whoever_shows_nothing_is_turned_away(method, path):
    """ERR-5: a 401 that says how to come in, and stays in no cache."""
    async with serving(ApiKeys()) as served:
        answer = await served.request(method, path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, NOBODY)
        assert answer.headers["cache-control"] == "no-store"
        if method != "HEAD":
            assert answer.json()["type"] == "/problems/unauthorized"
        assert not served.app.asked


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/problems/unauthorized"])
async def test_what_is_for_everybody_asks_nobody(path):
    async with serving(ApiKeys()) as served:
        assert (await served.request("GET", path)).status == 200


async def test_a_refused_request_is_not_read():
    """Neither its body nor its size is looked at before it is known whose it is."""
    async with serving(ApiKeys()) as served:
        headers = {"content-length": "999999999"}
        assert (await served.request("POST", "/direct", headers=headers)).status == 401


async def test_the_answer_differs_by_preference_also_when_it_is_a_refusal():
    async with serving(ApiKeys()) as served:
        assert (await served.request("POST", "/queued")).headers["vary"] == "Prefer"


MALFORMED = [
    "Bearer",
    "Bearer ",
    "Bearer ew_",
    "Bearer ew_0123456789abcdef_" + "0" * 64,
    "Bearer ew_0123456789ABCDEF_" + "0" * 64,
    "Bearer ew_0123456789abcdef_" + "0" * 1_000_000,
    "Bearer ew_" + "_" * 90,
    "Bearer ew_é",
    "Bearer \x00\xff",
    "Bearer no key at all",
    "Basic YWRhOnB3",
    "Negotiate " + "a" * 100_000,
    "ew_0123456789abcdef_" + "0" * 64,
    "",
]


@pytest.mark.parametrize("value", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_credential_is_a_401(value):
    """With or without `Anonymous`: who has shown something is not taken for nobody."""
    for auth in (ApiKeys(), [ApiKeys(), Anonymous()]):
        async with serving(auth) as served:
            answer = await served.request("POST", "/direct", headers={"authorization": value})
            assert (answer.status, answer.headers["www-authenticate"]) == (401, BAD)


async def test_two_credentials_are_none():
    """Of the joined value, which no authenticator takes, nothing opens."""
    async with serving() as served:
        key = await key_of(served, "ada")
        headers = bearing(f"{key}, Bearer {key}")
        assert (await served.request("POST", "/direct", headers=headers)).status == 401


async def test_a_key_that_was_changed_in_one_place_opens_nothing():
    async with serving(ApiKeys()) as served:
        key = await key_of(served, "ada")
        for place in range(len(key)):
            other = "0" if key[place] != "0" else "1"
            changed = key[:place] + other + key[place + 1 :]
            answer = await served.request("POST", "/direct", headers=bearing(changed))
            assert answer.status == 401, place


async def test_nothing_of_a_secret_is_kept():
    """A digest, whose key it is, and times."""
    async with serving() as served:
        key = await key_of(served, "ada", 1)
        key_id, secret = KEY.fullmatch(key).groups()
        where = ItemKey(table="eitherway.api-keys", key=key_id)
        (item,) = await served.runtime.engine.read([where])
        assert b'"principal":"ada"' in item.value
        assert secret.encode() not in item.value


async def test_a_key_expires():
    async with serving(ApiKeys()) as served:
        ada = bearing(await key_of(served, "ada", 1))
        assert (await served.request("POST", "/direct", headers=ada)).status == 200
        await served.advance(86_400 - 1)
        assert (await served.request("POST", "/direct", headers=ada)).status == 200
        await served.advance(1)
        answer = await served.request("POST", "/direct", headers=ada)
        assert (answer.status, answer.json()["detail"]) == (401, "this API key has expired")


async def test_a_revoked_key_opens_nothing_once_the_cache_is_over():
    async with serving(ApiKeys(cache_seconds=10)) as served:
        keyring = Keyring(served.runtime.engine, served.clock)
        key, shown = await keyring.create("ada")
        assert (await served.request("POST", "/direct", headers=bearing(shown))).status == 200
        revoked = await keyring.revoke(key.id)
        assert await keyring.revoke(key.id) == revoked
        assert await keyring.revoke("unknown") is None
        await served.advance(10)
        answer = await served.request("POST", "/direct", headers=bearing(shown))
        assert (answer.status, answer.json()["detail"]) == (401, "this API key was revoked")


class Counting(ApiKeys):
    """Counts what the store is asked."""

    reads = 0

    async def open(self, engine, clock):
        await super().open(engine, clock)
        find = self._keyring.find

        async def counted(key_id):
            self.reads += 1
            return await find(key_id)

        self._keyring.find = counted


async def test_the_store_is_not_asked_each_time():
    """Neither of a key that is known, nor of one that is not; nonsense drives out no good key."""
    keys = Counting(cache_seconds=10, cache_max=3)
    async with serving(keys) as served:
        ada = await caller(served, "ada")
        for _ in range(5):
            await served.request("POST", "/direct", headers=ada)
        assert keys.reads == 1
        for number in range(4):
            nonsense = bearing(f"ew_{number:016x}_{'0' * 64}")
            for _ in range(2):
                assert (await served.request("POST", "/direct", headers=nonsense)).status == 401
        assert keys.reads == 1 + 4
        await served.request("POST", "/direct", headers=ada)
        assert keys.reads == 5
        assert (len(keys._known._entries), len(keys._unknown._entries)) == (1, 3)
        await served.advance(10)
        await served.request("POST", "/direct", headers=ada)
        assert keys.reads == 6


async def test_another_header_may_hold_the_key():
    """Which handlers do not see, and jobs do not store; `Authorization` does as well."""
    async with serving([ApiKeys(header="X-API-Key"), Anonymous()]) as served:
        key = await key_of(served, "ada")
        headers = {"x-api-key": key, "x-other": "1"}
        assert (await served.request("POST", "/direct", headers=headers)).json() == "ada"
        assert (await served.request("POST", "/direct", headers=bearing(key))).json() == "ada"
        assert (await served.request("POST", "/queued", headers=headers)).status == 202
        await served.drain()
        assert all(key not in str(seen) for *_, seen in served.app.asked)
        assert served.app.asked[0][2]["x-other"] == "1"
        refused = await served.request("POST", "/direct", headers={"x-api-key": "nonsense"})
        assert refused.headers["vary"] == "x-api-key"
        challenge = refused.headers["www-authenticate"]
        assert (refused.status, challenge) == (401, 'ApiKey realm="eitherway", header="X-API-Key"')


@pytest.mark.parametrize("header", ["", "Authorization", "X Key", 'X"', "X\n", "é"])
def test_a_header_that_is_none_is_refused(header):
    with pytest.raises(ConfigurationError, match="header="):
        ApiKeys(header=header)


class Badge(Authenticator):
    """Somebody's own."""

    challenge = 'Badge realm="door"'
    credential_headers = ("badge",)

    async def authenticate(self, headers):
        match headers.get("badge"):
            case None:
                return None
            case "down":
                raise AuthUnavailableError("the lamp is out")
            case "bug":
                raise ZeroDivisionError
            case "forged":
                raise CredentialError("this badge is forged")
        return Principal(f"badge:{headers['badge']}")


@pytest.mark.parametrize(
    ("badge", "status"), [("7", 200), ("forged", 401), ("down", 503), ("bug", 500)]
)
async def test_an_authenticator_of_ones_own(badge, status):
    async with serving([ApiKeys(), Badge()]) as served:
        answer = await served.request("POST", "/direct", headers={"badge": badge})
        assert answer.status == status
        if status == 200:
            assert answer.json() == "badge:7"
            assert "badge" not in served.app.asked[0][2]
        if status == 401:
            assert answer.json()["detail"] == "this badge is forged"
        if status == 503:
            assert answer.json()["type"] == "/problems/authentication-unavailable"
            assert answer.headers["retry-after"] == "1"
        assert "lamp" not in answer.body.decode()


async def test_every_challenge_is_named():
    async with serving([ApiKeys(), Badge()]) as served:
        scope = {"type": "http", "method": "POST", "path": "/direct", "query_string": b""}
        sent = []

        async def send(message):
            sent.append(message)

        await served.app({**scope, "headers": []}, None, send)
        fields = [value for name, value in sent[0]["headers"] if name == b"www-authenticate"]
        assert fields == [NOBODY.encode(), b'Badge realm="door"']


async def test_the_first_that_recognises_somebody_has_the_last_word():
    async with serving([Badge(), ApiKeys()]) as served:
        headers = {**await caller(served, "ada"), "badge": "7"}
        assert (await served.request("POST", "/direct", headers=headers)).json() == "badge:7"


@pytest.mark.parametrize("auth", [None, Anonymous(), [Anonymous()]])
async def test_where_nobody_is_asked_credentials_mean_nothing(auth):
    """As ever: nobody has a name, and there are no tickets."""
    app = App("shop", auth=auth)

    @app.post("/direct")
    async def direct() -> str:
        return "done"

    async with TestApp(app) as served:
        headers = {"authorization": "Bearer nonsense"}
        assert (await served.request("POST", "/direct", headers=headers)).status == 200
        assert (await served.request("POST", "/tickets", headers=headers)).status == 404


@pytest.mark.parametrize("auth", [[], ApiKeys, [ApiKeys], "ApiKeys", ["ApiKeys"], [None]])
def test_what_is_no_authenticator_is_refused(auth):
    with pytest.raises(ConfigurationError, match="auth="):
        App("shop", auth=auth)


async def test_the_gateways_own_tables_are_nobody_elses():
    with pytest.raises(ConfigurationError, match="eitherway's own"):
        shop().table("eitherway.api-keys", dict, key="id")


@pytest.mark.parametrize("name", ["", "a" * 256, "a\nb", "\x00"])
async def test_a_principal_has_a_name_that_can_be_shown(name):
    with pytest.raises(ValueError, match="printable"):
        Principal(name)
    async with serving() as served:
        with pytest.raises(ConfigurationError, match="printable"):
            await key_of(served, name)


async def test_operators_and_callers_are_apart():
    """A caller's key opens nothing under /admin, and the operators' token nothing else."""
    async with serving(ApiKeys(), admin_token="o" * 40) as served:
        ada = await caller(served, "ada")
        operator = bearing("o" * 40)
        await served.request("POST", "/queued", headers=ada)
        assert (await served.request("GET", "/admin/jobs", headers=ada)).status == 401
        assert (await served.request("POST", "/direct", headers=operator)).status == 401
        page = (await served.request("GET", "/admin/jobs", headers=operator)).json()
        assert [job["owner"] for job in page["jobs"]] == ["ada"]
        (job,) = page["jobs"]
        inside = await served.request("GET", f"/admin/jobs/{job['id']}", headers=operator)
        assert inside.json()["owner"] == "ada"
