"""The queues of operations: their addresses, and batches of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import EitherwayError, EngineError
from . import names
from .store import Store, code_of, gathered

BATCH = 10
"""Messages of one request."""


class Queues:
    """Sends to queues, receives from them and deletes."""

    def __init__(self, store: Store, *, create: bool) -> None:
        self._store = store
        self._create = create
        self._urls: dict[str, asyncio.Future[str]] = {}

    def name(self, operation: str, *, alone: bool) -> str:
        """The name of the queue of an operation, or of its suspects."""
        return names.queue(self._store.place.prefix, operation, alone=alone)

    async def url(self, queue: str) -> str:
        """The address of a queue; made, where that is this engine's to do."""
        if queue not in self._urls:
            self._urls[queue] = asyncio.ensure_future(self._find(queue))
        found = self._urls[queue]
        try:
            return await asyncio.shield(found)
        except EitherwayError:
            if self._urls.get(queue) is found:
                del self._urls[queue]
            raise

    async def send(self, queue: str, entries: Sequence[Mapping[str, Any]]) -> int:
        """Send messages; how many were not taken."""
        method = self._store.sqs.send_message_batch
        answers = await self._batches(method, queue, entries)
        return sum(len(answer.get("Failed", ())) for answer in answers)

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete messages by the handles of their receipt."""
        entries = [{"ReceiptHandle": receipt} for receipt in receipts]
        await self._batches(self._store.sqs.delete_message_batch, queue, entries)

    async def release(self, queue: str, receipts: Sequence[str], seconds: int) -> None:
        """Let messages be received again, after so many seconds."""
        method = self._store.sqs.change_message_visibility_batch
        entries = [{"ReceiptHandle": receipt, "VisibilityTimeout": seconds} for receipt in receipts]
        await self._batches(method, queue, entries)

    async def _batches(
        self, method: Any, queue: str, entries: Sequence[Mapping[str, Any]]
    ) -> list[Any]:
        if not entries:
            return []
        url = await self.url(queue)
        numbered = [{**entry, "Id": str(place)} for place, entry in enumerate(entries)]
        parts = [numbered[at : at + BATCH] for at in range(0, len(numbered), BATCH)]
        return await gathered(
            self._store.call(method, QueueUrl=url, Entries=part) for part in parts
        )

    async def _find(self, queue: str) -> str:
        sqs = self._store.sqs
        try:
            answer = await self._store.call(sqs.get_queue_url, QueueName=queue)
        except EngineError as error:
            if not _is_missing(error):
                raise
            if not self._create:
                raise EngineError(
                    f"there is no queue {queue}: build and deploy the stack"
                ) from error
            answer = await self._store.call(sqs.create_queue, QueueName=queue)
        return str(answer["QueueUrl"])


def _is_missing(error: EngineError) -> bool:
    code = code_of(error.__cause__)
    return "NonExistentQueue" in code or "QueueDoesNotExist" in code
