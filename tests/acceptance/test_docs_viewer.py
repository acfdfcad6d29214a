"""`/docs` in a real browser: both documents, a request that is tried, and nobody else asked."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, chromium
from service import Service

pytestmark = pytest.mark.slow

ORDER = "#operations-orders-place_order"
DIM = """
const luminance = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).map((one) => {
    const part = one / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (; node !== null; node = node.parentElement) {
    const { backgroundColor } = getComputedStyle(node);
    if (!/, 0(\\.\\d+)?\\)$/.test(backgroundColor)) return backgroundColor;
  }
  return "rgb(255, 255, 255)";
};
return [...document.querySelectorAll(arguments[0])].filter((node) => {
  const [a, b] = [getComputedStyle(node).color, ground(node)].map(luminance).sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05) < 4.5;
}).map((node) => node.textContent);
"""
"""Texts with less contrast than WCAG 2.2 asks for (1.4.3, 4.5 to 1)."""

TEXTS = "h1, nav a, .opblock-summary-path, .opblock-summary-description, .parameter__name"
MESSAGES = "#messages h2, #messages h3, #messages summary, #messages pre, .address"


@pytest.fixture
async def url(tmp_path: Path):
    service = Service(tmp_path, "run", target="shop:app")
    shop = Path(__file__).parents[2] / "examples" / "shop"
    try:
        await service.start(PYTHONPATH=str(shop)).ready()
        yield service.url
    finally:
        service.stop()


@pytest.fixture
def tab(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        browser.open("about:blank")
        browser.addresses()  # of the tab before it was ours
        browser.open(f"{url}/docs")
        browser.wait("document.querySelector('.opblock')")
        yield browser


async def test_the_page_shows_calls_and_messages_and_tries_a_request(tab, url):
    """Both documents, with nothing in the console, and no other server asked; light and dark."""
    text = tab.run("return document.body.innerText")
    assert all(word in text for word in ("/orders/{order_id}", "/jobs/{id}", "DELETE", "Order"))
    tab.click(f"{ORDER} .opblock-summary-control")
    tab.wait(f"document.querySelector('{ORDER} .execute')")
    parameters = tab.run("return document.querySelector('table.parameters').innerText")
    assert "Prefer" in parameters
    assert "Idempotency-Key" in parameters
    tab.click(f"{ORDER} .execute")
    tab.wait(f"document.querySelector('{ORDER} .live-responses-table .response')")
    assert "202" in tab.run(f"return document.querySelector('{ORDER} .response').innerText")

    for scheme, dark in (("light", False), ("dark", True)):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        tab.command("Emulation.setEmulatedMedia", features=[feature])
        tab.wait(
            f"document.documentElement.classList.contains('dark-mode') === {str(dark).lower()}"
        )
        assert tab.run(DIM, TEXTS) == []

    tab.click('nav a[href="#messages"]')
    tab.wait("document.querySelector('#calls').offsetParent === null")
    messages = tab.run("return document.querySelector('#messages').innerText")
    for word in ("eitherway.job.succeeded", "queue/place_order", "subscribe", "place_order.result"):
        assert word in messages
    tab.run("document.querySelectorAll('#messages details').forEach((one) => one.open = true)")
    assert tab.run(DIM, MESSAGES) == []
    assert tab.errors() == []
    addresses = [one for one in tab.addresses() if not one.startswith("data:")]
    assert len(addresses) >= 8
    assert [one for one in addresses if not re.match(rf"{re.escape(url)}/", one)] == []
