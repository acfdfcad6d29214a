"""When somebody sets the machine's clock: what is measured goes on, what has a time keeps it."""

from __future__ import annotations

import logging
import math

from ...clock import Clock
from ...engine.waking import Topic
from .transaction import Transaction

logger = logging.getLogger("eitherway")

NOTICED_SECONDS = 0.5
"""By how much it must have been set. Slewing, as NTP does it, moves both clocks."""

_LOOK_SECONDS = 1.0
"""How long what the file says is believed: others may have followed a step, and this one not."""

_STEPS = ("waiting", "held", "shares", "limits", "buckets", "keys")


class Follower:
    """Sees in one process whether the clock was set.

    The machine's monotonic clock tells; the file remembers how far the two were apart. After a
    start of the machine, only a clock that is behind what was done last is known to have been set.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known = math.inf  # how far they were apart by the file,
        self._looked = -math.inf  # when it was last asked, and this clock agreed

    def follow(self, tx: Transaction) -> None:
        """Begin a transaction: by as much as the clock was set, move what is measured by it."""
        clock = self._clock
        boot, before = clock.boot, clock.monotonic()
        ahead = clock.now() - before
        if not boot or clock.monotonic() - before > NOTICED_SECONDS / 2:  # held up between the two
            return
        is_known = before - self._looked < _LOOK_SECONDS
        if is_known and abs(ahead - self._known) < NOTICED_SECONDS:
            return
        row = tx.one("clock")
        same = row is not None and row[0] == boot
        step = ahead - row[1] if same else _behind(tx)
        if abs(step) < NOTICED_SECONDS:
            step = 0.0
        if step or not same:
            tx.one("clock_set", boot=boot, ahead=ahead)
        else:
            self._known, self._looked = row[1], before
        if step:
            _move(tx, step)


def _move(tx: Transaction, step: float) -> None:
    logger.warning("the clock was set by %+.1f s: what waits and what runs goes on", step)
    for name in _STEPS:
        values = {"step": step, "before": tx.now - step}
        tx.one(f"step_{name}", **values)
    tx.topics.add(Topic.WORK)


def _behind(tx: Transaction) -> float:
    last = tx.one("clock_last")
    return 0.0 if last is None else min(0.0, tx.now - float(last[0]))
