"""What endpoints have said of themselves, for every process: gone, or wait (`Retry-After`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256

from pydantic_core import from_json, to_json

from ..engine.contract import Engine
from ..engine.values import ItemKey, ItemWrite, Settlement, Work

_TABLE = "eitherway.endpoints"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """When an endpoint said something last; 0 where it has not."""

    gone_at: float = 0.0
    closed_until: float = 0.0


class Endpoints:
    """Their standings, in a table. Written apart from attempts: a failed one commits nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def standing(self, url: str) -> Standing:
        """What is known of an endpoint."""
        (item,) = await self._engine.read([_key(url)])
        return Standing(**from_json(item.value)) if item.value is not None else Standing()

    async def note(self, url: str, standing: Standing) -> None:
        """Remember it, in place of what was known."""
        write = ItemWrite(key=_key(url), value=to_json(asdict(standing)))
        await self._engine.settle([Settlement(work=Work(writes=[write]))])


def _key(url: str) -> ItemKey:
    # a digest: a URL may be longer than an engine's key
    return ItemKey(table=_TABLE, key=sha256(url.encode()).hexdigest())
