"""`/eitherway.js`: how it is served; and its cases that need no server, run by node."""

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from eitherway import App, ConfigurationError
from eitherway.settings import Settings
from eitherway.testing import TestApp
from node import NODE

MODULE = Path(str(files("eitherway.gateway") / "eitherway.js"))


async def test_it_is_served_and_kept_until_it_changes() -> None:
    async with TestApp(App("shop")) as shop:
        first = await shop.request("GET", "/eitherway.js")
        seen = {"if-none-match": first.headers["etag"]}
        again = await shop.request("GET", "/eitherway.js", headers=seen)
        head = await shop.request("HEAD", "/eitherway.js")
    assert (first.status, first.body) == (200, MODULE.read_bytes())
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["cache-control"] == "public, no-cache"
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == head.headers["etag"] == first.headers["etag"]
    assert (head.status, head.body) == (200, b"")


async def test_it_is_under_the_prefix_and_its_path_is_taken() -> None:
    app = App("shop")
    async with TestApp(app, settings=Settings(prefix="/api")) as shop:
        assert (await shop.request("GET", "/api/eitherway.js")).status == 200
        assert (await shop.request("GET", "/eitherway.js")).status == 404
    app.get("/eitherway.js")(lambda: None)
    with pytest.raises(ConfigurationError, match=r"/eitherway\.js is a path of the gateway"):
        async with TestApp(app):
            pass


def test_its_cases_pass() -> None:
    done = subprocess.run(
        [NODE, "--test", "--test-timeout=20000", str(Path(__file__).with_name("module_cases.mjs"))],
        env={"MODULE": MODULE.as_uri()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
