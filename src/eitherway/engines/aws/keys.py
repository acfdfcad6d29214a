"""Idempotency keys: what a transaction has to hold of them, and to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...engine.idempotency import KeyEnd
from ...engine.values import NewJob
from .writes import Write

if TYPE_CHECKING:
    from .core import Core


@dataclass(frozen=True, slots=True)
class Binding:
    """Whether a job may be stored as far as its key goes, and the write that goes with it."""

    able: bool
    write: Write | None = None


async def bind(core: Core, jobs: Sequence[NewJob]) -> list[Binding]:
    """What lets the keys of these jobs stand for them; able and nothing for a job without one."""
    return [Binding(able=True) for _ in jobs]


async def ending(core: Core, end: KeyEnd) -> Write | None:
    """The write that ends the hold on a key; None where somebody else holds it by now."""
    return None
