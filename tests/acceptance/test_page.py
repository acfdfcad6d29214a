"""The demo's page, in a real browser: what it shows, and what it leaves alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser import Browser, chromium
from test_demo import demo, served_at

pytestmark = pytest.mark.slow

BURST = 500
COUNT = "Number(document.querySelector('#%s-counts [data-count=%s] dd').innerText.replace(',', ''))"
FIRST_ORDER = "document.querySelector('#orders li[data-way=%s]').innerText"

OVERLAPPING = """
return [...document.querySelectorAll(".box")].filter((box) => {
  const [cloud, ours, figure] = [...box.querySelectorAll("text")].map((t) => t.getBBox());
  const edge = box.querySelector("rect").getBBox();
  const right = edge.x + edge.width;
  return ours.x + ours.width + 4 > figure.x || cloud.x + cloud.width > right;
}).map((box) => box.textContent);
"""
CUT_OFF = """
return [...document.querySelectorAll("h1, h2, p, button, dt, dd, li, code, output, label")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 1)
  .filter((node) => getComputedStyle(node).display !== "inline")
  .map((node) => node.textContent);
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the demo is served."""
    with demo(tmp_path_factory.mktemp("demo"), "--port", "0") as process:
        yield served_at(process)
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="module")
def tab(profile: Path, url: str) -> Iterator[Browser]:
    """The page, loaded and connected, in a tab that all tests share: it is to bear that, too."""
    with chromium(profile) as browser:
        browser.open("about:blank")
        browser.addresses()  # of the tab before it was ours
        shape(browser, 1200)
        browser.open(f"{url}/")
        connected(browser)
        yield browser


@pytest.fixture(autouse=True)
def _keeps_to_itself(tab: Browser, url: str) -> Iterator[None]:
    """Whatever a test does: nothing to complain about, nobody else asked."""
    yield
    assert tab.errors() == []
    host = url.removeprefix("http://")
    allowed = (f"http://{host}/", f"ws://{host}/")
    assert [address for address in tab.addresses() if not address.startswith(allowed)] == []


def shape(tab: Browser, width: int, scheme: str = "light", motion: str = "no-preference") -> None:
    tab.command(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
    tab.command(
        "Emulation.setEmulatedMedia",
        features=[{"name": name, "value": value} for name, value in features.items()],
    )


def connected(tab: Browser) -> None:
    tab.wait("document.querySelector('#connection').innerText === 'connected'")


def count(tab: Browser, way: str, name: str) -> int:
    return int(tab.run(f"return {COUNT % (way, name)}"))


def told(tab: Browser, way: str, before: str) -> str:
    """What the newest order of this way says once it has been told; `before` is what it was."""
    line = FIRST_ORDER % way
    tab.wait(f"document.querySelector('#orders li[data-way={way}]') && {line} !== {before!r}")
    tab.wait(f"document.querySelector('#orders li[data-way={way}]').dataset.state === 'told'")
    return str(tab.run(f"return {line}"))


def newest(tab: Browser, way: str) -> str:
    return str(tab.run(f"return document.querySelector('#orders li[data-way={way}]')?.innerText"))


def test_one_order_each_way_goes_from_click_to_told(tab: Browser) -> None:
    tab.click("[data-ways='direct queued'][data-send=one]")

    assert "on the same call" in told(tab, "direct", "")
    steps = r"accepted \d+ ms.*committed \d+ ms.*told \d+ ms by WebSocket"
    assert re.search(steps, told(tab, "queued", ""), re.DOTALL)
    tab.wait("document.querySelector('#news').innerText.includes('by WebSocket')")
    for way in ("direct", "queued"):
        tab.wait(f"{COUNT % (way, 'told')} === 1")
        assert [count(tab, way, name) for name in ("accepted", "committed", "lost")] == [1, 1, 0]


def test_a_burst_each_way_is_refused_in_part_or_waits(tab: Browser, tmp_path: Path) -> None:
    before = {way: count(tab, way, "accepted") for way in ("direct", "queued")}
    tab.click("[data-ways='direct queued'][data-send=burst]")
    tab.wait("document.querySelectorAll('.dot.refused').length > 1")  # one is in the key
    tab.screenshot(tmp_path / "light.png")
    tab.wait(f"{COUNT % ('queued', 'told')} === {before['queued'] + BURST}")

    accepted, refused = (count(tab, "direct", name) for name in ("accepted", "refused"))
    assert accepted - before["direct"] + refused == BURST
    assert 0 < refused == count(tab, "direct", "lost")
    assert [count(tab, "queued", name) for name in ("refused", "lost")] == [0, 0]
    assert "orders wait now" in tab.run("return document.querySelector('#depth').ariaLabel")


@pytest.mark.parametrize("way", ["direct", "queued"])
def test_a_lane_has_a_burst_of_its_own(tab: Browser, url: str, way: str) -> None:
    other = {"direct": "queued", "queued": "direct"}[way]
    before = httpx.get(f"{url}/demo/state").json()
    tab.click(f"[data-ways={way}][data-send=burst]")
    arrived = " + ".join(COUNT % (way, name) for name in ("accepted", "refused"))
    tab.wait(f"{arrived} === {before[way]['accepted'] + before[way]['refused'] + BURST}")
    tab.wait(f"{COUNT % (way, 'told')} === {COUNT % (way, 'accepted')}")

    assert httpx.get(f"{url}/demo/state").json()[other]["accepted"] == before[other]["accepted"]


def test_what_ended_while_the_websocket_was_cut_is_told_when_it_is_back(tab: Browser) -> None:
    before = newest(tab, "queued")
    tab.click("#cut")
    tab.wait("document.querySelector('#connection').innerText.startsWith('cut')")
    tab.click("[data-ways=queued][data-send=one]")
    line = told(tab, "queued", before)

    assert re.search(r"committed \d+ ms.*told [123]\.\d+ s by WebSocket", line, re.DOTALL)
    connected(tab)


def test_the_status_query_tells_too(tab: Browser) -> None:
    before = newest(tab, "queued")
    tab.click("input[value=status]")
    tab.wait("document.querySelector('#connection').innerText === 'not used'")
    tab.click("[data-ways=queued][data-send=one]")
    assert "by status" in told(tab, "queued", before)
    tab.click("input[value=WebSocket]")
    connected(tab)


def test_the_sliders_act_and_the_keyboard_moves_them(tab: Browser, url: str) -> None:
    tab.run("document.querySelector('#handler_ms').focus()")
    tab.press("End")
    tab.wait("document.querySelector('output[for=handler_ms]').innerText === '500 ms'")
    tab.run("document.querySelector('#per_second').focus()")
    tab.press("Home")
    tab.wait("document.querySelector('output[for=per_second]').innerText === '10 a second'")
    before = newest(tab, "direct")
    tab.wait("performance.getEntriesByName(location.origin + '/demo/settings').length >= 2")
    settings = httpx.get(f"{url}/demo/settings").json()
    assert settings == {"handler_ms": 500, "per_second": 10, "failing_percent": 0, "learn": False}
    tab.run("document.querySelector('[data-ways=direct][data-send=one]').focus()")
    tab.press("Enter")
    found = re.search(r"told after (\d+) ms", told(tab, "direct", before))
    assert found
    assert int(found[1]) >= 500


def test_attempts_that_fail_are_repeated_and_nothing_is_lost(tab: Browser, url: str) -> None:
    settings = {"handler_ms": 0, "per_second": 400, "failing_percent": 30}
    httpx.put(f"{url}/demo/settings", json=settings).raise_for_status()
    tab.wait("document.querySelector('output[for=failing_percent]').innerText === '30 %'")
    before = count(tab, "queued", "accepted")
    tab.click("[data-ways=queued][data-send=burst]")
    tab.wait(f"{COUNT % ('queued', 'told')} === {before + BURST}")

    assert count(tab, "queued", "retried") > 0
    assert count(tab, "queued", "committed") == before + BURST
    assert count(tab, "queued", "lost") == 0
    httpx.put(f"{url}/demo/settings", json={}).raise_for_status()  # as it was


def test_the_queue_learns_a_pace_that_nobody_told(tab: Browser, url: str) -> None:
    settings = {"handler_ms": 0, "per_second": 60, "failing_percent": 0, "learn": True}
    httpx.put(f"{url}/demo/settings", json=settings).raise_for_status()
    tab.wait("document.querySelector('#learn').checked")
    before = count(tab, "queued", "accepted")
    tab.click("[data-ways=queued][data-send=burst]")
    tab.wait("/^learnt: [0-9.]+ a second$/.test(document.querySelector('#learnt').innerText)")
    tab.wait(f"{COUNT % ('queued', 'told')} === {before + BURST}")
    learnt = httpx.get(f"{url}/demo/state").json()["learnt"]
    assert 30 < learnt < 120
    assert count(tab, "queued", "lost") == 0
    httpx.put(f"{url}/demo/settings", json={}).raise_for_status()  # as it was
    tab.wait("document.querySelector('#learnt').innerText === ''")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 800, 360])
def test_nothing_is_cut_off_or_overlaps(
    tab: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    shape(tab, width, scheme)
    tab.wait("new Promise((r) => requestAnimationFrame(r)) && true")
    tab.screenshot(tmp_path / f"{scheme}-{width}.png")
    assert tab.run("return document.documentElement.scrollWidth - innerWidth") <= 0
    assert tab.run(OVERLAPPING) == []
    assert tab.run(CUT_OFF) == []


def test_with_reduced_motion_nothing_travels(tab: Browser) -> None:
    shape(tab, 1200, motion="reduce")
    tab.wait("document.querySelectorAll('.dots *').length === 0")
    before = count(tab, "direct", "accepted")
    tab.click("[data-ways=direct][data-send=one]")
    moved = f"{COUNT % ('direct', 'accepted')} > {before}"
    tab.wait(f"{moved} && (window.traveling = document.querySelectorAll('.dots *').length, true)")
    assert tab.run("return window.traveling") == 0


def test_every_control_is_named_and_reached_by_keyboard(tab: Browser) -> None:
    nameless = """
    return [...document.querySelectorAll("button, input")].filter((control) =>
      control.tabIndex < 0 || !(control.labels?.[0]?.innerText || control.innerText).trim()).length
    """
    assert tab.run(nameless) == 0
    tab.run("document.activeElement.blur()")
    tab.press("Tab")
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert tab.run(outline) == "solid"


def test_the_page_may_load_nothing_from_elsewhere(url: str) -> None:
    policy = httpx.get(f"{url}/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
