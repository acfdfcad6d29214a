"""WebSocket connections: who is to be told of what, and how.

A row says that a connection listens to a channel: a job, or all jobs of an owner. One more row of
each connection, under a channel of its own, says whose it is and what it listens to.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ...errors import EitherwayError, EngineError
from . import names
from .store import Store, code_of, gathered

logger = logging.getLogger("eitherway.gateway")

CONNECTION_SECONDS = 2 * 3600.0
"""API Gateway ends a connection after that; its rows are worth nothing any more."""

_JOB = "job#"
_OWNER = "owner#"
_CONNECTION = "connection#"
"""What begins a channel's name: what somebody says in a frame names no other kind than they may."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """An open connection: whose it is (None: nobody's in particular), and until when.

    `channels` are those that it listens to, as far as the row says that it was read from.
    """

    id: str
    principal: str | None
    expires: float
    channels: tuple[str, ...] = ()


def job_channel(job_id: str) -> str:
    """The channel of a job."""
    return _JOB + job_id


def owner_channel(principal: str) -> str:
    """The channel of all jobs of an owner."""
    return _OWNER + principal


class Channels:
    """The table of connections of a stack, and the API that posts to them."""

    def __init__(self, store: Store, url: str | None) -> None:
        self._store = store
        self._table = names.channels_table(store.place.prefix)
        self._url = url

    async def connect(self, connection: Connection) -> None:
        """A connection has come, and listens to its channels."""
        await self._follow(connection, connection.channels)

    async def follow(self, connection: Connection, channels: Iterable[str]) -> Connection:
        """Have it listen to these, too. The connection as it is then."""
        every = tuple(dict.fromkeys((*connection.channels, *channels)))
        new = [channel for channel in every if channel not in connection.channels]
        changed = replace(connection, channels=every)
        if new:
            await self._follow(changed, new)
        return changed

    async def also(self, connection_id: str, channel: str) -> None:
        """Have it listen to one more, if it is open still."""
        connection = await self.find(connection_id)
        if connection is not None:
            await self.follow(connection, [channel])

    async def leave(self, connection: Connection, channels: Iterable[str]) -> Connection:
        """Have it listen to these no more. The connection as it is then."""
        gone = set(channels)
        left = tuple(each for each in connection.channels if each not in gone)
        changed = replace(connection, channels=left)
        await self._put(_CONNECTION + connection.id, changed)
        await gathered(self._delete(channel, connection.id) for channel in gone)
        return changed

    async def find(self, connection_id: str) -> Connection | None:
        """The connection of this id, while it may be open."""
        found = await self._query(_CONNECTION + connection_id)
        return found[0] if found else None

    async def listeners(self, channel: str) -> Sequence[Connection]:
        """Who listens to a channel now."""
        return await self._query(channel)

    async def forget(self, connection_id: str, channels: Iterable[str] = ()) -> None:
        """The connection has gone: its rows go, too, and those of these `channels`."""
        found = await self.find(connection_id)
        rows = {_CONNECTION + connection_id, *channels, *(found.channels if found else ())}
        await gathered(self._delete(channel, connection_id) for channel in rows)

    async def post(self, connection: Connection, data: bytes) -> None:
        """Send it a message. One that has gone is forgotten; any other failure is logged."""
        try:
            await self._store.call(
                self._api.post_to_connection, ConnectionId=connection.id, Data=data
            )
        except EitherwayError as error:
            await self._failed(connection, error)

    async def close(self, connection_id: str) -> None:
        """End the connection, and forget it."""
        try:
            await self._store.call(self._api.delete_connection, ConnectionId=connection_id)
        except EitherwayError as error:
            logger.warning("connection %s was not ended: %s", connection_id, error)
        await self.forget(connection_id)

    async def _failed(self, connection: Connection, error: EitherwayError) -> None:
        if code_of(error.__cause__) != "GoneException":
            logger.warning("connection %s was not reached: %s", connection.id, error)
            return
        try:
            await self.forget(connection.id, connection.channels)
        except EitherwayError as kept:
            logger.warning("connection %s is gone, its rows are not: %s", connection.id, kept)

    async def _follow(self, connection: Connection, channels: Iterable[str]) -> None:
        await self._put(_CONNECTION + connection.id, connection)
        await gathered(self._put(channel, connection) for channel in channels)

    async def _put(self, channel: str, connection: Connection) -> None:
        image: dict[str, Any] = {
            "channel": {"S": channel},
            "connection": {"S": connection.id},
            "expires": {"N": str(int(connection.expires))},
        }
        if connection.principal is not None:
            image["principal"] = {"S": connection.principal}
        if channel.startswith(_CONNECTION):
            image["channels"] = {"S": json.dumps(connection.channels)}
        await self._store.call(self._store.dynamo.put_item, TableName=self._table, Item=image)

    async def _delete(self, channel: str, connection_id: str) -> None:
        key = {"channel": {"S": channel}, "connection": {"S": connection_id}}
        await self._store.call(self._store.dynamo.delete_item, TableName=self._table, Key=key)

    async def _query(self, channel: str) -> list[Connection]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "channel = :channel",
            "ExpressionAttributeValues": {":channel": {"S": channel}},
        }
        images: list[Mapping[str, Any]] = []
        while True:
            answer = await self._store.call(self._store.dynamo.query, **request)
            images += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        now = self._store.now()
        return [each for each in map(_connection, images) if each.expires > now]

    @property
    def _api(self) -> Any:
        if self._url is None:
            raise EngineError("EITHERWAY_SOCKET_URL says where connections are posted to")
        return self._store.management(_endpoint(self._url))


def _connection(image: Mapping[str, Any]) -> Connection:
    listed = image.get("channels")
    return Connection(
        id=image["connection"]["S"],
        principal=image.get("principal", {}).get("S"),
        expires=float(image["expires"]["N"]),
        channels=tuple(json.loads(listed["S"])) if listed else (image["channel"]["S"],),
    )


def _endpoint(url: str) -> str:
    """The management API of a stage; emulators serve it under their own address."""
    emulator = os.environ.get("AWS_ENDPOINT_URL")
    if emulator is None:
        return url
    parts = urlsplit(url)
    return f"{emulator.rstrip('/')}/_aws/execute-api/{parts.netloc.partition('.')[0]}{parts.path}"
