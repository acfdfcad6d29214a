"""`GET /problems/{name}`: where the `type` of a problem leads."""

from html import escape

import pytest

from eitherway import App
from eitherway.gateway.problem_pages import meanings
from eitherway.problem import CATALOGUE
from eitherway.settings import Settings


@pytest.mark.parametrize("name", CATALOGUE)
async def test_every_problem_has_a_page(test_app, name):
    """With its title, its status and what the reference says."""
    status, title = CATALOGUE[name]
    async with test_app(App("empty")) as shop:
        page = await shop.request("GET", f"/problems/{name}")
    text = page.body.decode()
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["vary"] == "Accept"
    assert f"<title>{escape(title)}</title>" in text
    assert f"status {status}" in text
    assert meanings()[name][:3] in text
    assert "](" not in text
    assert "`" not in text


async def test_a_program_gets_json(test_app):
    """Where it accepts JSON, and no page."""
    async with test_app(App("empty")) as shop:
        accept = {"accept": "application/problem+json, application/json"}
        answer = await shop.request("GET", "/problems/job-gone", headers=accept)
    document = answer.json()
    assert (document["type"], document["status"]) == ("/problems/job-gone", 410)
    assert document["title"] == "The job is no longer kept"
    assert document["meaning"].startswith("410, ")


async def test_the_type_of_a_problem_resolves(test_app):
    """Also where the gateway's own paths are under a prefix."""
    settings = Settings(prefix="/_")
    async with test_app(App("empty"), settings=settings) as shop:
        problem = (await shop.request("GET", "/_/jobs/nothing")).json()
        assert (await shop.request("GET", problem["type"])).status == 200


async def test_a_name_that_is_none_is_not_found(test_app):
    """A problem of its own."""
    async with test_app(App("empty")) as shop:
        assert (await shop.request("GET", "/problems/nothing")).status == 404


async def test_an_operation_on_the_same_path_comes_first(test_app):
    """The pages take nobody's path away."""
    app = App("mine")

    @app.get("/problems/{number}")
    async def problem(number: str) -> str:
        return f"mine: {number}"

    async with test_app(app) as shop:
        assert (await shop.request("GET", "/problems/not-found")).json() == "mine: not-found"
