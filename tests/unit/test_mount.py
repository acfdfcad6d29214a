"""Mounted applications: they get what is theirs, and no more."""

import pytest

from eitherway import App, ConfigurationError
from eitherway.testing.http import request


async def told(scope, receive, send):
    """Answers with where it thinks it is."""
    body = f"{scope['root_path']}|{scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def shop():
    app = App("shop", engine="sqlite://:memory:")

    @app.get("/orders")
    async def read_orders() -> list[str]:
        return []

    return app


async def test_a_mounted_app_gets_what_is_under_its_path_and_is_no_operation():
    """The longest path wins; the app learns it as its root."""
    app = shop()
    app.mount("/pages/", told)
    app.mount("/pages/old", told)
    async with app:
        assert (await request(app, "GET", "/pages")).body == b"/pages|/pages"
        assert (await request(app, "POST", "/pages/a")).body == b"/pages|/pages/a"
        assert (await request(app, "GET", "/pages/old/a")).body == b"/pages/old|/pages/old/a"
        assert (await request(app, "GET", "/pagesize")).status == 404
        assert (await request(app, "GET", "/orders")).body == b"[]"


async def test_mounted_at_the_root_it_gets_all_the_rest():
    """Operations and the gateway's own paths come first."""
    app = shop()
    app.mount("/", told)
    async with app:
        assert (await request(app, "GET", "/")).body == b"|/"
        assert (await request(app, "GET", "/orders")).body == b"[]"
        assert (await request(app, "POST", "/orders")).status == 405
        assert (await request(app, "GET", "/livez")).json() == {"status": "live"}


async def test_files_that_are_missing_are_problems(tmp_path):
    """As Starlette refuses, so we answer."""
    from starlette.staticfiles import StaticFiles

    (tmp_path / "a.txt").write_text("a")
    app = shop()
    app.mount("/files", StaticFiles(directory=tmp_path))
    async with app:
        assert (await request(app, "GET", "/files/a.txt")).body == b"a"
        missing = await request(app, "GET", "/files/b.txt")
        assert (missing.status, missing.json()["type"]) == (404, "/problems/not-found")
        refused = await request(app, "POST", "/files/a.txt")
        assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["pages", "/pages/{name}", "/taken/"])
def test_a_mount_needs_a_plain_path_of_its_own(path):
    """Refused where it is written."""
    app = shop()
    app.mount("/taken", told)
    with pytest.raises(ConfigurationError, match="mount"):
        app.mount(path, told)
