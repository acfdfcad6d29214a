"""`/openapi.json`, `/asyncapi.json`, and `/docs`, which shows both without any other server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from gzip import decompress
from hashlib import sha256
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..problem import Problem
from .description.description import Description
from .routes import Endpoint, Request
from .wire import Header, RefusedError, entity_tags, header, respond

logger = logging.getLogger("eitherway.gateway")

_SCRIPT, _STYLE = b"text/javascript; charset=utf-8", b"text/css; charset=utf-8"
_FILES: Mapping[str, tuple[str, bytes]] = {
    "page.css": ("page.css", _STYLE),
    "page.js": ("page.js", _SCRIPT),
    "messages.js": ("messages.js", _SCRIPT),
    "theme.js": ("theme.js", _SCRIPT),
    "swagger-ui.css": ("vendor/swagger-ui/swagger-ui.css.gz", _STYLE),
    "swagger-ui-bundle.js": ("vendor/swagger-ui/swagger-ui-bundle.js.gz", _SCRIPT),
}
_CHECK_AGAIN: Header = (b"cache-control", b"no-cache")
_NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self' {others}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class Describing:
    """Serves a description: its documents, and the page for people."""

    def __init__(self, description: Description, public_url: str | None) -> None:
        page = (_viewer() / "index.html").read_text("utf-8")
        self._page = page.replace("{name}", escape(description.name)).encode()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(public_url)) if public_url else ""
        policy = _POLICY.format(others=origin).encode("latin-1", "ignore")
        self._page_headers = [(b"content-security-policy", policy), _NOSNIFF]
        self.endpoints: Mapping[str, Endpoint] = {
            "/openapi.json": self._document(description.openapi),
            "/asyncapi.json": self._document(description.asyncapi),
            "/docs": self.page,
            "/docs/{file}": self.file,
        }

    async def page(self, request: Request) -> None:
        """`GET /docs`."""
        media_type = b"text/html; charset=utf-8"
        await _send(request, self._page, media_type, self._page_headers)

    async def file(self, request: Request) -> None:
        """`GET /docs/{file}`: what the page is made of."""
        name = request.params["file"]
        if name not in _FILES:
            raise RefusedError(Problem.of("not-found", "no file has this name"))
        path, media_type = _FILES[name]
        body = (_viewer() / path).read_bytes()
        headers = [_NOSNIFF]
        if path.endswith(".gz"):
            headers.append((b"vary", b"Accept-Encoding"))
            if b"gzip" in (header(request.scope, b"accept-encoding") or b""):
                headers.append((b"content-encoding", b"gzip"))
            else:
                body = decompress(body)
        await _send(request, body, media_type, headers)

    def _document(self, write: Callable[[str], bytes]) -> Endpoint:
        async def endpoint(request: Request) -> None:
            try:
                body = write(request.scope.get("root_path", ""))
            except ConfigurationError as error:
                logger.error("%s: %s", request.route, error)  # noqa: TRY400 - it says everything
                detail = "the app cannot be described: its log says why"
                raise RefusedError(Problem.of("internal-error", detail)) from None
            await _send(request, body, b"application/json", [])

        return endpoint


async def _send(request: Request, body: bytes, media_type: bytes, headers: list[Header]) -> None:
    """Send it, or 304 to whoever has it."""
    tag = b'W/"%s"' % sha256(body).hexdigest()[:16].encode()
    fields: list[Header] = [(b"etag", tag), _CHECK_AGAIN, *headers]
    known = entity_tags(header(request.scope, b"if-none-match"))
    status = 304 if known & {tag, b"*"} else 200
    await respond(
        request.send, status, body, media_type=media_type, headers=fields, head=request.head
    )


def _viewer() -> Traversable:
    return files("eitherway.gateway.description") / "viewer"
