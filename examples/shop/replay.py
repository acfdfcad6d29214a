"""Replays a workload into a lane, open loop, and notes what becomes of every order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from client import Client, Response
from workload import Workload

CONNECTIONS_MAX = 96
POLLERS = 32  # each of them holds one connection; the others are for orders
_LEAD_SECONDS = 0.2  # between laying out the calls and the first one
_DRAIN_SECONDS_MAX = 60.0
_SEED = 13
_JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class Call:
    """One order on its way. Times are of `time.monotonic`; None until it came to that."""

    order_id: str
    body: bytes
    intended: float
    sent: float | None = None
    status: int | None = None  # None: no answer at all
    accepted: float | None = None  # the 200 or the 202 was here
    committed: float | None = None  # the order's row was written
    known: float | None = None  # the client had learnt that it was
    stored: bool = False  # the row was read back at the end


class Lane:
    """One way of serving an order, under load."""

    def __init__(self, name: str, path: str, client: Client, workload: Workload) -> None:
        self.name = name
        self.path = path
        self.answered = self.refused = self.ended = 0  # so far, for a progress bar
        self._client = client
        self._jobs: asyncio.Queue[tuple[Call, str]] = asyncio.Queue()
        start = time.monotonic() + _LEAD_SECONDS
        amount = random.Random(_SEED).uniform  # noqa: S311 - prices, no secrets
        self.calls = []
        for number, at in enumerate(workload.times):
            order = {"order_id": f"{name}-{number:05}", "amount": round(amount(5, 200), 2)}
            body = json.dumps(order, separators=(",", ":")).encode()
            self.calls.append(Call(str(order["order_id"]), body, start + at))

    async def run(self) -> None:
        """Send every order at its time, and wait until all that were accepted have ended."""
        async with asyncio.TaskGroup() as tasks:
            pollers = [tasks.create_task(self._poll()) for _ in range(POLLERS)]
            sends = []
            for call in self.calls:
                ahead = call.intended - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                sends.append(tasks.create_task(self._send(call)))
            await asyncio.wait(sends)
            with contextlib.suppress(TimeoutError):  # what has not ended by then counts as lost
                await asyncio.wait_for(self._jobs.join(), _DRAIN_SECONDS_MAX)
            for poller in pollers:
                poller.cancel()

    async def read_back(self) -> None:
        """Look for every order in the table, whatever was said about it."""
        todo = iter(self.calls)

        async def look() -> None:
            for call in todo:
                answer = await self._client.request("GET", f"/orders/{call.order_id}")
                call.stored = answer.status == 200 and answer.body == call.body

        await asyncio.gather(*(look() for _ in range(POLLERS)))

    async def _send(self, call: Call) -> None:
        try:
            answer = await self._client.request("POST", self.path, headers=_JSON, body=call.body)
        except OSError:
            return
        call.sent, call.status = answer.sent, answer.status
        self.answered += 1
        self.refused += answer.status == 503
        if answer.status == 200:
            call.accepted = call.committed = call.known = answer.received
            self.ended += 1
        elif answer.status == 202:
            call.accepted = answer.received
            self._jobs.put_nowait((call, urlsplit(answer.headers["location"]).path))

    async def _poll(self) -> None:
        """Ask for one job after the other, in the order of their acceptance, until it has ended."""
        while True:
            call, job = await self._jobs.get()
            while not await self._ended(call, job):
                pass
            self.ended += 1
            self._jobs.task_done()

    async def _ended(self, call: Call, job: str) -> bool:
        try:
            answer = await self._client.request("GET", job, headers={"prefer": "wait=10"})
        except OSError:
            answer = Response()
        if answer.status != 200:
            await asyncio.sleep(0.1)
            return False
        document = json.loads(answer.body)
        if document["status"] == "succeeded":
            call.known = answer.received
            call.committed = _monotonic(document["finished"])
        return bool(document["done"])


def _monotonic(moment: str) -> float:
    """A moment of the wall clock, which the server shares with us, on the clock of the calls."""
    return time.monotonic() - (time.time() - datetime.fromisoformat(moment).timestamp())
