"""The page's files, served with headers that keep the page to this server."""

from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

_FOLDER = Path(__file__).parent / "page"
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",  # asked for again each time, and mostly answered 304
}


class PageFiles(StaticFiles):
    """`page/`, with its index at the root."""

    def __init__(self) -> None:
        super().__init__(directory=_FOLDER, html=True)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, with the headers."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(_HEADERS)
        return response
