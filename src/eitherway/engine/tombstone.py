"""What is left of a job that is not kept any more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Tombstone:
    """What is remembered of a job whose retention is over."""

    owner: str | None  # whose job it was
