"""Both documents of one app, from the same schemas: written once, and kept.

What writes them is imported when somebody asks: a process that nobody asks starts sooner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from ...operation import Operation
from ...settings import Settings

if TYPE_CHECKING:
    from .schemas import Schemas

Document = dict[str, Any]


class Description:
    """What an app looks like from outside.

    `engine_url` gives its scheme alone: addresses and credentials are nobody's business.
    `security` are OpenAPI's Security Scheme Objects by name; each of them lets a caller in, and an
    empty name lets in anybody.
    """

    def __init__(
        self,
        name: str,
        operations: Iterable[Operation],
        settings: Settings,
        *,
        engine_url: str,
        security: Mapping[str, Document] | None = None,
    ) -> None:
        self.name = name
        self._operations = list(operations)
        self._settings = settings
        self._prefix = settings.prefix.rstrip("/")
        self._engine = engine_url.partition(":")[0]
        self._security = security or {}
        self._kept: dict[tuple[str, str], bytes] = {}

    def openapi(self, root_path: str = "") -> bytes:
        """The OpenAPI document, as JSON; for a gateway that is mounted at `root_path`."""
        return self._keep("openapi", root_path, self._openapi)

    def asyncapi(self, root_path: str = "") -> bytes:
        """The AsyncAPI document, as JSON."""
        return self._keep("asyncapi", root_path, self._asyncapi)

    def _keep(self, kind: str, root_path: str, write: Any) -> bytes:
        if (kind, root_path) not in self._kept:
            self._kept[kind, root_path] = to_json(write(root_path), indent=1)
        return self._kept[kind, root_path]

    @cached_property
    def _schemas(self) -> Schemas:
        from .schemas import Schemas  # noqa: PLC0415 - see above

        return Schemas(self._operations)

    def _openapi(self, root_path: str) -> Document:
        from .openapi import openapi_document  # noqa: PLC0415 - see above

        def write(version: str) -> Document:
            return openapi_document(
                self.name,
                self._operations,
                self._schemas,
                prefix=self._prefix,
                quoted_keys=self._settings.idempotency_key_quoted,
                version=version,
                server=(self._settings.public_url or root_path).rstrip("/") or "/",
                security=self._security,
            )

        return _versioned(write)

    def _asyncapi(self, root_path: str) -> Document:
        from .asyncapi import asyncapi_document  # noqa: PLC0415 - see above

        host, port = self._settings.host, self._settings.port

        def write(version: str) -> Document:
            return asyncapi_document(
                self.name,
                self._operations,
                self._schemas,
                prefix=self._prefix if self._settings.public_url else root_path + self._prefix,
                version=version,
                public_url=self._settings.public_url,
                address=f"{host}:{port}" if port else host,
                engine=self._engine,
                security=self._security,
            )

        return _versioned(write)


def _versioned(write: Any) -> Document:
    """The document with a version that moves whenever something else in it does."""
    document: Document = write("")
    digest = sha256(to_json(document)).hexdigest()
    document["info"]["version"] = f"1.0.0+{digest[:8]}"
    return document
