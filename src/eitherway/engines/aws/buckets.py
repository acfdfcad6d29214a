"""Token buckets: each an item, changed under the stamp that was read."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...engine.values import Charge
from ...errors import EngineError, EngineUnavailableError
from .limit_use import MARGIN_SECONDS
from .store import Store
from .writes import Write, commit

logger = logging.getLogger("eitherway.engine")

_TRIES = 20
_PLACE = {"S": "#buckets"}


@dataclass(frozen=True, slots=True)
class _Bucket:
    tokens: float
    filled: float  # when it held that
    stamp: int


async def charge(store: Store, charges: Sequence[Charge]) -> float:
    """Take what all of them ask for, or nothing: after how many seconds to ask again, or 0."""
    for position, each in enumerate(charges):
        try:
            wait_seconds = await _take(store, each, each.units)
        except EngineError:
            await give_back(store, charges[:position])
            raise
        if wait_seconds > 0:
            await give_back(store, charges[:position])
            return wait_seconds
    return 0.0


async def give_back(store: Store, charges: Sequence[Charge]) -> None:
    """Put back what was taken for a commit that did not come; what cannot be is lost."""
    for each in charges:
        try:
            await _take(store, each, -each.units)
        except EngineError as error:
            logger.warning("%d units of %s are lost: %s", each.units, each.bucket, error)


async def _take(store: Store, charge: Charge, units: int) -> float:
    for _ in range(_TRIES):
        (image,) = await store.get(store.items, [_key(charge.bucket)])
        now = store.now()
        before = _bucket(image, charge, now)
        is_set_back = before.filled > now + MARGIN_SECONDS
        filled = now if is_set_back else max(now, before.filled)
        gained = max(0.0, now - before.filled) * charge.per_second
        tokens = min(charge.units_max, before.tokens + gained)
        is_enough = tokens >= units
        if not is_enough and not is_set_back:
            return (units - tokens) / charge.per_second
        left = min(charge.units_max, tokens - units) if is_enough else tokens
        after = _Bucket(left, filled, before.stamp + 1)
        if not await commit(store, [_swap(store, charge.bucket, before, after)]):
            return 0.0 if is_enough else (units - tokens) / charge.per_second
    raise EngineUnavailableError(f"others charge {charge.bucket} all the time")


def _bucket(image: Any, charge: Charge, now: float) -> _Bucket:
    if image is None:
        return _Bucket(charge.units_max, now, 0)
    return _Bucket(
        float(image["tokens"]["N"]), float(image["filled"]["N"]), int(image["stamp"]["N"])
    )


def _swap(store: Store, name: str, before: _Bucket, after: _Bucket) -> Write:
    image = {
        **_key(name),
        "tokens": {"N": repr(float(after.tokens))},
        "filled": {"N": repr(after.filled)},
        "stamp": {"N": str(after.stamp)},
    }
    if not before.stamp:
        return Write(table=store.items, image=image, condition="attribute_not_exists(stamp)")
    values = {":stamp": {"N": str(before.stamp)}}
    return Write(table=store.items, image=image, condition="stamp = :stamp", values=values)


def _key(name: str) -> dict[str, Any]:
    return {"place": _PLACE, "key": {"S": name}}
