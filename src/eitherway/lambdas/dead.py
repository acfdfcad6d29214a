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
    """Look after a batch of dead hints; which of them the queue is to keep."""
    return _environment.run(context, partial(send_again, event["Records"]))


async def send_again(
    records: Sequence[Mapping[str, Any]], invocation: Invocation
) -> dict[str, Any]:
    """The same, in an invocation under way. What names no operation may be one's yet: it stays."""
    engine = engine_of(invocation.runtime)
    messages = [received(record, invocation.runtime) for record in records]
    hints = [message.hint for message in messages if message.hint is not None]
    stored, sent = await engine.revive(hints)
    logger.warning("%d dead hints: %d jobs stored, %d sent again", len(hints), stored, sent)
    kept = [message.id for message in messages if message.hint is None]
    if kept:
        logger.error("messages of no operation of this app stay in the dead queue: %s", kept)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in kept]}
