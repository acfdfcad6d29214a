"""The function behind the dead queue: hints that were received often and never taken.

A throttled stack does that to healthy messages. What has not ended is sent again; what has, or is
past its deadline, ends there: the record tells.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from .environment import Environment, Invocation, LambdaContext
from .messages import received
from .store import engine_of

logger = logging.getLogger("eitherway.worker")

_environment = Environment(serving=False)


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Look after a batch of dead hints. None fails by itself: an engine that is away fails all."""
    return _environment.run(context, partial(send_again, event["Records"]))


async def send_again(
    records: Sequence[Mapping[str, Any]], invocation: Invocation
) -> dict[str, Any]:
    """The same, in an invocation under way."""
    engine = engine_of(invocation.runtime)
    messages = [received(record, invocation.runtime) for record in records]
    for message in messages:
        if message.hint is None:
            logger.error("message %s names no job and no operation: dropped", message.id)
    hints = [message.hint for message in messages if message.hint is not None]
    unstored = [hint.new for hint in hints if hint.new is not None]
    new = dict(zip((job.id for job in unstored), await engine.accept(unstored), strict=True))
    again = [hint.job_id for hint in hints if not new.get(hint.job_id)]
    count = await engine.remind(again)
    logger.warning(
        "%d dead hints: %d jobs stored, %d sent again", len(hints), sum(new.values()), count
    )
    return {"batchItemFailures": []}
