"""Shares of limits: wishes put to the writer, twice where the dead hold what is wished for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...engine.limits import Share, ShareWish
from .holders import Holders


async def share(
    submit: Callable[[str, Any], Any], own: str, sharers: Holders, wishes: Sequence[ShareWish]
) -> Sequence[Share]:
    """Hold slots and draw starts in the next group commit; if short, free the dead's first."""
    shares: list[Share] = await submit("share", (own, (), wishes))
    short = any(share.slots < wish.slots for share, wish in zip(shares, wishes, strict=True))
    if short and (dead := sharers.dead()):
        again = [replace(wish, starts=0, unused=0) for wish in wishes]
        more: list[Share] = await submit("share", (own, dead, again))
        shares = [replace(share, slots=one.slots) for share, one in zip(shares, more, strict=True)]
    return shares
