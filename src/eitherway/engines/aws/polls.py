"""Long polls, each on a thread of its own while somebody waits; what they bring is kept here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ...engine.waking import Topic, Wake
from ...errors import EitherwayError
from .queues import BATCH, Queues
from .store import Store

logger = logging.getLogger("eitherway.engine")

POLL_SECONDS = 20
"""The longest that SQS waits."""

VISIBILITY_SECONDS = 30
"""A hint that was received and not looked at is everybody's again after that."""

_KEPT_SECONDS = VISIBILITY_SECONDS - 10

_ERROR_SECONDS = 1.0
"""Between a poll that failed and the next one."""


class Polls:
    """Receives hints. Times are those of SQS, whatever the engine's clock says."""

    def __init__(self, store: Store, queues: Queues, wake: Wake) -> None:
        self._store = store
        self._queues = queues
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._kept: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
        self._polling: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, float] = {}

    def start(self, queue: str) -> None:
        """Poll a queue from now on, for as long as one poll takes."""
        if queue not in self._polling and not self._wake.closed:
            task = self._loop.create_task(self._poll(queue))
            self._polling[queue] = task
            task.add_done_callback(lambda _: self._polling.pop(queue, None))

    def take(self, queue: str) -> dict[str, str]:
        """What was received and is still ours."""
        alive = time.monotonic() - _KEPT_SECONDS
        kept = self._kept.pop(queue, {})
        return {id_: receipt for id_, (at, receipt) in kept.items() if at > alive}

    def kept(self, queue: str) -> list[str]:
        """The jobs of what was received and is still ours; it stays here."""
        alive = time.monotonic() - _KEPT_SECONDS
        return [id_ for id_, (at, _) in self._kept.get(queue, {}).items() if at > alive]

    def keep(self, queue: str, hints: Mapping[str, str]) -> None:
        """Have these again."""
        now = time.monotonic()
        for id_, receipt in hints.items():
            self._kept[queue][id_] = (now, receipt)

    async def ask(self, queue: str) -> dict[str, str]:
        """What can be received without waiting."""
        try:
            url = await self._queues.url(queue)
            answer = await self._store.call(self._store.sqs.receive_message, **_request(url, 0))
        except EitherwayError as error:
            logger.warning("no hints: %s", error)
            return {}
        return _hints(answer)

    def close(self) -> dict[str, dict[str, str]]:
        """End the polls; what was kept."""
        for task in list(self._polling.values()):
            task.cancel()
        return {queue: self.take(queue) for queue in list(self._kept)}

    async def _poll(self, queue: str) -> None:
        with suppress(EitherwayError):  # no queue: the index tells of the jobs
            url = await self._queues.url(queue)
            arrived: asyncio.Future[dict[str, str] | None] = self._loop.create_future()
            self._store.start(lambda: self._receive(url, arrived))
            found = await arrived
            if found is None:
                await asyncio.sleep(_ERROR_SECONDS)
            self.keep(queue, found or {})
            # Also where nothing came: whoever still waits looks again, and has it polled again.
            self._loop.call_soon(self._wake.signal, [Topic.WORK])

    def _receive(self, url: str, arrived: asyncio.Future[dict[str, str] | None]) -> None:
        """On a thread: one long poll."""
        found = None
        try:
            answer = self._store.sqs.receive_message(**_request(url, POLL_SECONDS))
            found = _hints(answer)
            if answer.get("Messages") and not found:
                logger.warning("%s has messages that are for functions, not for a worker", url)
                found = None
        except (BotoCoreError, ClientError, OSError, RuntimeError) as error:
            logger.warning("no hints: %s", error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_tell, arrived, found)


def _tell(arrived: asyncio.Future[dict[str, str] | None], found: dict[str, str] | None) -> None:
    if not arrived.done():
        arrived.set_result(found)


def _request(url: str, wait_seconds: int) -> dict[str, Any]:
    return {
        "QueueUrl": url,
        "MaxNumberOfMessages": BATCH,
        "MessageAttributeNames": ["job"],
        "VisibilityTimeout": VISIBILITY_SECONDS,
        "WaitTimeSeconds": wait_seconds,
    }


def _hints(answer: Mapping[str, Any]) -> dict[str, str]:
    """The receipts of what was received, by the ids of the jobs; what is no hint is left alone.

    A message that names no job is a caller's body that a function has to make a job of.
    """
    return {
        message["MessageAttributes"]["job"]["StringValue"]: message["ReceiptHandle"]
        for message in answer.get("Messages", ())
        if "job" in message.get("MessageAttributes", {})
    }
