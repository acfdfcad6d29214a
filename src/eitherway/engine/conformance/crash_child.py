"""The program that `cases_crash` kills: `python -m ...crash_child URL STEP SCENARIO`.

It works through one scenario on the store, prints the id of each job when the engine has
acknowledged it, and kills itself when STEP is taken for the `KILL_AT`th time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from ...clock import SystemClock
from ...ids import Randomness
from ..contract import Step
from ..loader import load_engine
from .crash_scenarios import KILL_AT, SCENARIOS
from .samples import START


class StandingClock(SystemClock):
    """Stands at the time of the cases, so that the parent alone decides when leases lapse."""

    def now(self) -> float:
        """The time at which every case begins."""
        return START

    def monotonic(self) -> float:
        """It was never set."""
        return START

    @property
    def boot(self) -> str:
        """The parent's: a virtual clock's."""
        return "virtual"


def kill_at(step: str) -> Step:
    """A hook that kills this process at the step, as a power cut would."""
    left = KILL_AT

    def at_step(name: str) -> None:
        nonlocal left
        left -= name == step
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    return at_step


async def main(url: str, step: str, scenario: str) -> None:
    """Work through the scenario, as far as one gets."""
    engine = load_engine(url, clock=StandingClock(), randomness=Randomness(), at_step=kill_at(step))
    await engine.open()
    async for id_ in SCENARIOS[scenario](engine):
        sys.stdout.write(f"{id_}\n")
        sys.stdout.flush()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
