"""All at once: FastAPI, an app in it, sessions, keys, both pages, and a browser elsewhere."""

import contextlib

import httpx
import pytest
from browser import chromium
from test_auth import bearing, key_of
from test_hosted import hosted

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}


@contextlib.asynccontextmanager
async def served(folder, origin):
    """Where the application is, and two people's keys."""
    given = {"HEROES_DB": str(folder / "heroes.db"), "HOSTED_ORIGIN": origin}
    hosting = hosted(folder, "together_apps:api", "together_apps:heroes", **given)
    async with hosting as (url, worker):
        yield url, await key_of(worker, "ann"), await key_of(worker, "bob")


async def test_a_page_elsewhere_uses_all_of_it_with_a_person_s_key(tmp_path, origin):
    """What a script sends arrives, and what it needs it may read; nobody sees another's job."""
    async with served(tmp_path, origin) as (url, ann, bob):
        with chromium(tmp_path / "profile") as tab:
            tab.open(origin)
            api = f"{url}/api"
            asked = {**JSON, **bearing(ann), "prefer": "respond-async", "idempotency-key": "k-1"}
            accepted = tab.fetch(f"{api}/heroes", "POST", '{"name": "Cy"}', **asked)
            assert accepted["status"] == 202, accepted
            location = accepted["headers"]["location"]
            assert location == accepted["headers"]["operation-location"]
            assert location == f"{api}/jobs/{accepted['body']['id']}"
            assert accepted["headers"]["preference-applied"] == "respond-async"
            assert int(accepted["headers"]["retry-after"]) >= 1
            ended = tab.fetch(location, prefer="wait=20", **bearing(ann))
            assert (ended["status"], ended["body"]["result"]) == (200, {"name": "Cy", "id": 1})
            same = {**bearing(ann), "if-none-match": ended["headers"]["etag"]}
            assert tab.fetch(location, **same)["status"] == 304
            again = tab.fetch(f"{api}/heroes", "POST", '{"name": "Cy"}', **asked)
            assert again["headers"]["location"] == location
            at_once = tab.fetch(f"{api}/heroes", "POST", '{"name": "Di"}', **JSON, **bearing(bob))
            assert (at_once["status"], at_once["body"]["id"]) == (201, 2)
            assert tab.fetch(f"{api}/count", **bearing(bob))["body"] == [2, True]

            for who in ({}, bearing("ew_nobody")):
                for refused in (tab.fetch(f"{api}/count", **who), tab.fetch(location, **who)):
                    assert refused["status"] == 401
                    assert refused["body"]["type"] == "/problems/unauthorized"
                    assert refused["headers"]["www-authenticate"].startswith("Bearer")
            hidden = tab.fetch(location, **bearing(bob))
            assert (hidden["status"], hidden["body"]["type"]) == (404, "/problems/unknown-job")
            assert tab.fetch(location, "DELETE", **bearing(bob))["status"] == 404

            assert tab.fetch(f"{url}/names")["body"] == ["Cy", "Di"]
            assert tab.fetch(f"{url}/count")["body"] == 2


async def test_each_of_them_describes_itself(tmp_path, origin):
    """The host its routes, the app its operations with how to be let in; both pages are served."""
    async with served(tmp_path, origin) as (url, ann, _):
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            host, app = [
                (await client.get(path)).json() for path in ("/openapi.json", "/api/openapi.json")
            ]
            for path, title in {"/docs": "The host", "/api/docs": "together"}.items():
                page = await client.get(path)
                assert (page.status_code, title in page.text) == (200, True), path
        assert (host["info"]["title"], set(host["paths"])) == ("The host", {"/names", "/count"})
        assert app["info"]["title"] == "together"
        assert {"/heroes", "/count", "/jobs/{id}"} <= set(app["paths"])
        assert app["servers"] == [{"url": "/api"}]
        (scheme,) = app["components"]["securitySchemes"].values()
        assert scheme["scheme"] == "bearer"
        with chromium(tmp_path / "profile") as tab:
            tab.open(f"{url}/api/docs")
            tab.wait("document.querySelector('.opblock')")
            shown = tab.run("return document.body.innerText")
            assert "/heroes" in shown
            assert "/names" not in shown
            answer = tab.fetch(f"{url}/api/count", **bearing(ann))  # as `Authorize` has it sent
            assert answer["status"] == 200
