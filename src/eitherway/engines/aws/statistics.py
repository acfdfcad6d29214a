"""Where jobs are, by what was counted, and what the index says of those that wait."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.values import Flow, OperationStatistics
from ...job import JobState
from . import pauses, waiting
from .core import Core
from .counters import DEAD, ENDED, Sums, waiting_of
from .store import Store, gathered


async def statistics(core: Core) -> list[OperationStatistics]:
    """Of every operation that has or had jobs, or is paused, by its name.

    A scheduled job counts as that until somebody takes it.
    """
    paused, counted = await pauses.read(core.store), await core.counters.all()
    names = sorted({*counted, *paused})
    return await gathered(
        _of(core.store, name, counted.get(name, {}), paused=name in paused) for name in names
    )


async def waiting_now(core: Core, operations: Sequence[str]) -> list[int]:
    """How many jobs of each operation wait."""
    return [waiting_of(sums) for sums in await core.counters.sums(operations)]


async def flow(core: Core, operations: Sequence[str]) -> list[Flow]:
    """How the queue of each operation moves."""
    return [
        Flow(waiting=waiting_of(sums), ended=max(0, sums.get(ENDED, 0)))
        for sums in await core.counters.sums(operations)
    ]


async def _of(store: Store, operation: str, sums: Sums, *, paused: bool) -> OperationStatistics:
    return OperationStatistics(
        operation=operation,
        counts={state: max(0, sums.get(state.value, 0)) for state in JobState},
        dead=max(0, sums.get(DEAD, 0)),
        oldest_due=await _oldest_due(store, operation) if waiting_of(sums) else None,
        paused=paused,
    )


async def _oldest_due(store: Store, operation: str) -> float | None:
    firsts = await gathered(
        waiting.oldest(store, operation, alone=alone) for alone in (False, True)
    )
    return min((due for due in firsts if due is not None), default=None)
