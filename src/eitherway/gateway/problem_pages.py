"""`GET /problems/{name}`: what the `type` of a problem leads to, in the words of the reference.

`problems.md` beside this module is the reference's page itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files

from pydantic_core import to_json

from ..problem import CATALOGUE, Problem
from .routes import Request
from .wire import Header, RefusedError, header, respond

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<p><code>{name}</code>, status {status}</p>
{paragraphs}
</html>
"""
_STYLE = "body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem }"
_HEADERS: list[Header] = [
    (b"cache-control", b"public, max-age=3600"),
    (b"vary", b"Accept"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
]
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]+)`")


async def show_problem(request: Request) -> None:
    """A page for people; JSON for programs, where `Accept` says so."""
    name = request.params["name"]
    if name not in CATALOGUE:
        raise RefusedError(Problem.of("not-found", "no problem has this name"))
    accept = header(request.scope, b"accept") or b""
    wants_json = b"json" in accept and b"text/html" not in accept
    body = _json(name) if wants_json else _html(name)
    media_type = b"application/json" if wants_json else b"text/html; charset=utf-8"
    await respond(
        request.send, 200, body, media_type=media_type, headers=_HEADERS, head=request.head
    )


def _json(name: str) -> bytes:
    status, title = CATALOGUE[name]
    meaning = _LINK.sub(r"\1", meanings()[name]).replace("\n", " ")
    return to_json(
        {"type": f"/problems/{name}", "title": title, "status": status, "meaning": meaning}
    )


def _html(name: str) -> bytes:
    status, title = CATALOGUE[name]
    text = escape(_LINK.sub(r"\1", meanings()[name]), quote=False)
    marked = _CODE.sub(r"<code>\1</code>", text)
    paragraphs = "\n".join(f"<p>{each}</p>" for each in marked.split("\n\n"))
    page = _PAGE.format(
        name=name, title=escape(title), status=status, style=_STYLE, paragraphs=paragraphs
    )
    return page.encode()


@cache
def meanings() -> Mapping[str, str]:
    """What the reference says of each problem."""
    page = (files(__package__) / "problems.md").read_text("utf-8")
    sections = re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return {name: text.strip() for name, text in sections}
