"""A headless Chromium, driven over the WebDriver protocol (W3C), which is HTTP and JSON."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tools import tool

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_STARTED = re.compile(r"started successfully on port (\d+)")
_WAIT_SECONDS = 40
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element reference, by the standard

_KEYS = {"Tab": "\ue004", "Enter": "\ue007", "End": "\ue010", "Home": "\ue011"}

_WAIT_SCRIPT = """
const [condition, done] = arguments;
const check = new Function(`return (${condition})`);
const look = () => (check() ? done(true) : setTimeout(look, 20));
look();
"""

_FETCH = """
const [url, method, headers, body] = arguments;
window.answer = undefined;
fetch(url, {method, headers, body: body ?? undefined}).then(
  async (response) => {
    window.answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.json().catch(() => null),
    };
  },
  (error) => { window.answer = {error: String(error)}; },
);
"""


class Browser:
    """One tab. Methods raise `httpx.HTTPStatusError` with the driver's words when they fail."""

    def __init__(self, client: httpx.Client, path: str) -> None:
        self._client = client
        self._path = path
        self._post("timeouts", script=_WAIT_SECONDS * 1000)

    def open(self, url: str) -> None:
        """Go there; returns once it has loaded."""
        self._post("url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function body in the page; gives what it returns."""
        return self._post("execute/sync", script=script, args=list(arguments))

    def run_later(self, script: str) -> Any:
        """The same, for one that calls its last argument with what it gives."""
        return self._post("execute/async", script=script, args=[])

    def wait(self, condition: str) -> None:
        """Return once this expression is true in the page."""
        try:
            self._post("execute/async", script=_WAIT_SCRIPT, args=[condition])
        except AssertionError as error:
            text = self.run("return document.body.innerText")
            raise AssertionError(f"never true: {condition}\n{text}") from error

    def fetch(
        self, url: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> dict[str, Any]:
        """What a script of the page gets to read: `status`, `headers`, `body`, or an `error`."""
        self.run(_FETCH, url, method, headers, body)
        self.wait("window.answer")
        answer: dict[str, Any] = self.run("return window.answer")
        return answer

    def click(self, selector: str) -> None:
        """Scroll to an element and click it, as a person does."""
        found = self._post("element", using="css selector", value=selector)
        self._post(f"element/{found[_ELEMENT]}/click")

    def press(self, key: str) -> None:
        """Press and release a key: `Tab`, `Enter`, `Home`, `End`."""
        code = _KEYS[key]
        press = {"type": "key", "id": "keyboard"}
        actions = [{"type": kind, "value": code} for kind in ("keyDown", "keyUp")]
        self._post("actions", actions=[{**press, "actions": actions}])

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self._post("goog/cdp/execute", cmd=name, params=parameters)

    def screenshot(self, path: Path) -> None:
        """Write the whole page to `path`, as PNG."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {**size, "scale": 1}
        image = self.command("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(image["data"]))

    def errors(self) -> list[str]:
        """What the console complained about since the last call."""
        return [entry["message"] for entry in self._post("se/log", type="browser")]

    def addresses(self) -> list[str]:
        """Every address the page asked for, WebSockets included, since the last call."""
        found = []
        for entry in self._post("se/log", type="performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                found.append(message["params"]["url"])
        return found

    def _post(self, path: str, **body: Any) -> Any:
        answer = self._client.post(f"{self._path}/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()["value"]


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A driver whose browser keeps its profile in `folder`; ended with the block."""
    with subprocess.Popen(
        [tool("chromedriver"), "--port=0"], stdout=subprocess.PIPE, text=True
    ) as driver:
        try:
            assert driver.stdout is not None
            found = next(filter(None, map(_STARTED.search, driver.stdout)))
            with httpx.Client(base_url=f"http://127.0.0.1:{found[1]}", timeout=90) as client:
                session = client.post("/session", json=_capabilities(folder))
                assert session.is_success, session.text
                path = f"/session/{session.json()['value']['sessionId']}"
                try:
                    yield Browser(client, path)
                finally:
                    client.delete(path)  # ends the browser
        finally:
            driver.terminate()


def _capabilities(folder: Path) -> dict[str, Any]:
    options = {
        "binary": tool("chromium", "chromium-browser"),
        "args": [*_FLAGS, f"--user-data-dir={folder}", "about:blank"],
    }
    logs = {"browser": "ALL", "performance": "ALL"}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
    return {"capabilities": {"alwaysMatch": wanted}}
