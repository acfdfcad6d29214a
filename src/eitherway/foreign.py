"""What a web framework would give a function and no operation can: refused by name, at start.

A handler runs the same way on the call and long after it, where there is no request any more.
Nothing is imported to recognize them.
"""

from __future__ import annotations

import inspect
import typing
from typing import Any

from .errors import ConfigurationError

_HEADERS = "take ctx: Context, with ctx.headers and ctx.principal"
_INSTEAD_OF_TYPES = {
    "HTTPConnection": _HEADERS,  # Request and WebSocket are some
    "Response": "return the value, and give status= to the operation",
    "BackgroundTasks": "take ctx: Context, and call ctx.enqueue()",
    "SecurityScopes": _HEADERS,
    "UploadFile": "store the file elsewhere, and send where it is",
    "FormData": "the body is JSON: take a model",
}
_INSTEAD_OF_MARKERS = {
    "Header": 'take ctx: Context, and read ctx.headers["name"]',
    "Cookie": "cookies are not kept: send a parameter or a header",
    "Form": "the body is JSON: take a model",
    "File": "store the file elsewhere, and send where it is",
    "Body": "the one structured parameter is the body: leave Body() out",
}
_SAME_NAME = ("alias", "validation_alias")


def refuse_foreign(label: str, name: str, annotation: Any, default: Any) -> None:
    """`ConfigurationError` for a parameter that only a request in a web framework could fill."""
    metadata: tuple[Any, ...] = ()
    if typing.get_origin(annotation) is typing.Annotated:
        metadata, annotation = annotation.__metadata__, typing.get_args(annotation)[0]
    for member in typing.get_args(annotation) or (annotation,):
        for ancestor in inspect.getmro(member) if inspect.isclass(member) else ():
            instead = _INSTEAD_OF_TYPES.get(ancestor.__name__)
            if instead is not None and _root(ancestor) in ("starlette", "fastapi"):
                _refuse(label, name, member.__name__, instead)
    for marker in metadata:
        refuse_marker(label, name, marker)
    refuse_marker(label, name, default)
    if _root(type(default)) == "fastapi" and type(default).__name__ in ("Query", "Path"):
        kind = type(default).__name__
        _refuse(label, name, f"{kind}() as a default", f"annotate it: Annotated[..., {kind}()]")


def refuse_marker(label: str, name: str, marker: Any) -> None:
    """`ConfigurationError` for one of FastAPI's markers that asks for what an operation has not."""
    if _root(type(marker)) != "fastapi":
        return
    kind = type(marker).__name__
    if kind in _INSTEAD_OF_MARKERS:
        _refuse(label, name, f"{kind}()", _INSTEAD_OF_MARKERS[kind])
    if kind in ("Query", "Path") and any(
        getattr(marker, one, None) not in (None, name) for one in _SAME_NAME
    ):
        _refuse(label, name, f"{kind}(alias=...)", "call the parameter as it is sent")
    if getattr(marker, "max_concurrency", None) is not None:
        _refuse(label, name, "max_concurrency=", "give limit=Limit(in_flight=...) to the operation")


def _refuse(label: str, name: str, what: str, instead: str) -> None:
    raise ConfigurationError(
        f"{label} takes {name!r} as {what}, which an operation has not, "
        f"as it may run when the request is long over: {instead}"
    )


def _root(kind: type) -> str:
    return (kind.__module__ or "").partition(".")[0]
