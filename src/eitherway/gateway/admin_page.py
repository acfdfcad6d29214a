"""`GET /admin`: one page for people, with what waits and what died, and a button for each group.

The buttons send JSON to the resources beside the page: a foreign page cannot, without being asked
for by the browser first and refused. The policy lets nothing run but the script below.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from typing import Any

from pydantic_core import to_json

from .wire import Header

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 2rem; width: 100% }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left }
output { display: block; min-height: 1.5rem }
"""
_SCRIPT = """
const base = location.pathname.replace(/[/]$/, "");
document.addEventListener("click", async (event) => {
  const { path, body, ask } = event.target.dataset;
  if (!path || (ask && !confirm(ask))) return;
  const said = document.querySelector("output");
  event.target.disabled = true;
  said.textContent = "...";
  const headers = { "content-type": "application/json" };
  const answer = await fetch(base + path, { method: "POST", headers, body });
  const text = await answer.text();
  if (answer.ok && !JSON.parse(text).stopped) location.reload();
  said.textContent = text;
  event.target.disabled = false;
});
"""


def _allowed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


HEADERS: list[Header] = [
    (
        b"content-security-policy",
        f"default-src 'none'; connect-src 'self'; script-src {_allowed(_SCRIPT)}; "
        f"style-src {_allowed(_STYLE)}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


def admin_page(operations: Sequence[dict[str, Any]], dead: dict[str, Any]) -> bytes:
    """The page, from the documents of `/admin/stats` and `/admin/dead`."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>eitherway: operators</title>
<style>{_STYLE}</style></head><body>
<h1>Operators</h1><output role="status"></output>
<h2>Operations</h2>{_operations(operations)}
<h2>Dead letters</h2>{_groups(dead)}
<script>{_SCRIPT}</script></body></html>
""".encode()


def _operations(operations: Sequence[dict[str, Any]]) -> str:
    rows = []
    for one in operations:
        verb = "resume" if one["paused"] else "pause"
        button = _button(verb, f"/{verb}", f'{{"operation": {_quoted(one["operation"])}}}')
        numbers = (one["waiting"], one["counts"]["running"], one["dead"])
        oldest = "" if one["oldest_seconds"] is None else f"{one['oldest_seconds']:.0f} s"
        rows.append([escape(one["operation"]), *map(str, numbers), oldest, button])
    return _table(["operation", "waiting", "running", "dead", "oldest waits", ""], rows)


def _groups(dead: dict[str, Any]) -> str:
    rows = []
    for group in dead["groups"]:
        chosen = f'"operation": {_quoted(group["operation"])}'
        if group["cause"] is not None:
            chosen += f', "cause": {_quoted(group["cause"])}'
        ask = f"Redrive {group['count']}: one first, the others if it succeeds?"
        button = _button("redrive", "/dead/redrive", f'{{{chosen}, "canary": true}}', ask)
        words = (group["kind"], group["cause"], group["newest"], group["sample"])
        shown = [escape(str(word or "")) for word in words]
        rows.append([str(group["count"]), escape(group["operation"]), *shown, button])
    more = "" if dead["complete"] else "<p>There are more, older ones: these are the newest.</p>"
    columns = ["count", "operation", "kind", "cause", "newest", "sample", ""]
    return (_table(columns, rows) if rows else "<p>None.</p>") + more


def _button(label: str, path: str, body: str, ask: str = "") -> str:
    data = f'data-path="{path}" data-body="{escape(body)}" data-ask="{escape(ask)}"'
    return f"<button {data}>{label}</button>"


def _quoted(text: str) -> str:
    return to_json(text).decode()


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
