"""Clients of push that are cut off now and then, and go on from their cursors."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from random import Random

import httpx
from websockets.asyncio.client import connect

STATES = ["queued", "running", "retrying", "running", "succeeded"]


class Follower:
    """Follows jobs to their end at one gateway after the other, through `cuts` forced cuts."""

    def __init__(self, gateways: list[str], jobs: list[str], cuts: int, seed: int) -> None:
        self._gateways = cycle(gateways)
        self._jobs = jobs
        self.cuts = 0
        self._cut_at = set(Random(seed).sample(self.places(len(jobs)), cuts))
        self.events: list[dict] = []
        self._cursor: str | None = None
        self._open = set(jobs)

    def places(self, jobs: int) -> range:
        """Where it may be cut: after so many events. At first, all are told how they are."""
        return range(jobs + 1, jobs * len(STATES) - 1)

    def query(self) -> str:
        after = f"&after={self._cursor}" if self._cursor is not None else ""
        return f"/events?jobs={','.join(self._jobs)}{after}"

    def take(self, event: dict) -> bool:
        """Note an event; whether the connection is to be cut now."""
        self.events.append(event)
        self._cursor = event.get("cursor", self._cursor)
        if event["data"]["done"]:
            self._open.discard(event["subject"])
        return len(self.events) in self._cut_at

    async def follow(self) -> None:
        while self._open:
            if await self.once(next(self._gateways)):
                self.cuts += 1

    async def once(self, gateway: str) -> bool:
        """Until the end, or a cut."""
        raise NotImplementedError


class WebSocketFollower(Follower):
    async def once(self, gateway: str) -> bool:
        url = gateway.replace("http", "ws", 1) + self.query()
        async with connect(url, subprotocols=["cloudevents.json"], compression=None) as socket:
            while self._open:
                if self.take(json.loads(await socket.recv())):
                    socket.transport.abort()
                    return True
        return False


class SseFollower(Follower):
    async def once(self, gateway: str) -> bool:
        async with (
            httpx.AsyncClient(base_url=gateway, timeout=60) as client,
            client.stream("GET", self.query()) as response,
        ):
            assert response.status_code == 200, response.status_code
            async for event in events_of(response):
                if self.take(event):
                    return True
        return False


class PollFollower(Follower):
    """One job after the other, by long poll: sees states, not every event."""

    def places(self, jobs: int) -> range:
        return range(1, jobs)

    async def once(self, gateway: str) -> bool:
        async with httpx.AsyncClient(base_url=gateway, timeout=60) as client:
            for job_id in sorted(self._open):
                headers = {"prefer": "wait=30"}
                while job_id in self._open:
                    if len(self.events) + 1 in self._cut_at:
                        self._cut_at.discard(len(self.events) + 1)
                        await self._give_up(client, job_id, headers)
                        return True
                    response = await client.get(f"/jobs/{job_id}", headers=headers)
                    if response.status_code == 304:
                        continue
                    headers["if-none-match"] = response.headers["etag"]
                    sequence = response.headers["etag"].strip('W/"').zfill(12)
                    self.take({"subject": job_id, "sequence": sequence, "data": response.json()})
        return False

    async def _give_up(self, client: httpx.AsyncClient, job_id: str, headers: dict) -> None:
        with contextlib.suppress(httpx.TimeoutException):
            await client.get(f"/jobs/{job_id}", headers=headers, timeout=0.01)


async def events_of(response: httpx.Response) -> AsyncIterator[dict]:
    """The CloudEvents of a stream; each one's cursor is its `id:`."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            event = json.loads(fields["data"])
            assert event.get("cursor") == fields.get("id")
            yield event
            fields = {}


def lives(follower: Follower) -> Iterator[list[tuple[int, str]]]:
    """For each job, what was told of it: sequence and state, in the order of arrival."""
    told: dict[str, list[tuple[int, str]]] = {}
    for event in follower.events:
        life = told.setdefault(event["subject"], [])
        life.append((int(event["sequence"]), event["data"]["status"]))
    yield from told.values()
