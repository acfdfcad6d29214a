"""What endpoints have said of themselves, for every process: gone, or wait (`Retry-After`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256

from ..engine.contract import Engine
from ..own_table import OwnTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """When an endpoint said something last; 0 where it has not."""

    gone_at: float = 0.0
    closed_until: float = 0.0


class Endpoints:
    """Their standings, in a table. Written apart from attempts: a failed one commits nothing."""

    def __init__(self, engine: Engine) -> None:
        self._table = OwnTable(engine, "endpoints")

    async def standing(self, url: str) -> Standing:
        """What is known of an endpoint."""
        document, _ = await self._table.get(_key(url))
        return Standing() if document is None else Standing(**document)

    async def note(self, url: str, standing: Standing) -> None:
        """Remember it, in place of what was known."""
        await self._table.put(_key(url), asdict(standing), version=None)


def _key(url: str) -> str:
    # a digest: a URL may be longer than an engine's key
    return sha256(url.encode()).hexdigest()
