"""The stream of the table of jobs: its shards, and what each has after a place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from ...engine.values import Event
from ...errors import EngineError, EngineUnavailableError
from ...job import JobState
from .cursors import BEGINNING, at, split
from .store import Store, code_of

RECORDS = 250
"""Of one request: about a millisecond of the event loop, of those who are told."""

_SHARDS_KNOWN_SECONDS = 30.0
_CLOCKS_SECONDS = 1.0
"""By which our clock may be ahead of the stream's."""

_ITERATORS_MAX = 100
_GONE = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of the stream; a part that is split, or a day old, has others after it."""

    id: str
    parent: str | None
    is_open: bool


@dataclass(slots=True)
class Piece:
    """What was read of a shard: events, each with the place after it, and where to go on."""

    place: str
    events: list[tuple[str, Event]] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)  # jobs that are no more
    is_last: bool = False  # nothing came: there is no more for now, as far as one can tell
    ended: bool = False  # and after what came there will be none


class Stream:
    """Reads the stream. The place after which to read is the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._arn = ""
        self._shards: dict[str, Shard] = {}
        self._known_until = 0.0
        self._iterators: dict[tuple[str, str], str] = {}  # of places that nothing came after yet
        self.ends: dict[str, str] = {}  # how far each shard has been read by this process

    async def shards(self, *, fresh: bool = False) -> Mapping[str, Shard]:
        """The shards that there are, by their ids."""
        if fresh or time.monotonic() > self._known_until:
            self._shards = {shard.id: shard for shard in await self._describe()}
            self._known_until = time.monotonic() + _SHARDS_KNOWN_SECONDS
        return self._shards

    async def now(self, shard: str) -> str:
        """A place at the end of a shard, from which nothing of the past is read."""
        place = f"@{time.time():.3f}"
        self._keep(shard, place, await self._iterator(shard, ShardIteratorType="LATEST"))
        return place

    async def read(self, shard: str, place: str) -> Piece:
        """The next records of a shard, of one request."""
        try:
            answer = await self._records(shard, place)
        except EngineError as error:
            if code_of(error.__cause__) != "ExpiredIteratorException":
                raise
            self._iterators.pop((shard, place), None)
            answer = await self._records(shard, place)
        following = answer.get("NextShardIterator")
        # A short piece may have more after it: a request ends at a megabyte, or as it likes.
        piece = Piece(place, is_last=not answer["Records"], ended=following is None)
        for record in answer["Records"]:
            _add(piece, record, place)
        if piece.place == place and following is not None:  # nothing of it is told, more may come
            self._keep(shard, place, following)
        return piece

    async def _records(self, shard: str, place: str) -> Any:
        start = self._iterators.get((shard, place)) or await self._start(shard, place)
        return await self._ask(self._store.streams.get_records, ShardIterator=start, Limit=RECORDS)

    def _keep(self, shard: str, place: str, iterator: str) -> None:
        self._iterators[shard, place] = iterator
        while len(self._iterators) > _ITERATORS_MAX:
            del self._iterators[next(iter(self._iterators))]

    async def _start(self, shard: str, place: str) -> str:
        if place.startswith("@"):
            when = float(place[1:]) - _CLOCKS_SECONDS
            try:
                return await self._iterator(shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=when)
            except EngineUnavailableError:
                raise
            except EngineError:  # an older boto3 does not know it, and what is to come is refused
                place = BEGINNING
        if place == BEGINNING:
            return await self._iterator(shard, ShardIteratorType="TRIM_HORIZON")
        sequence, _ = split(place)
        return await self._iterator(
            shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=sequence
        )

    async def _iterator(self, shard: str, **where: str | float) -> str:
        streams, arn = self._store.streams, await self._stream()
        answer = await self._ask(streams.get_shard_iterator, StreamArn=arn, ShardId=shard, **where)
        return str(answer["ShardIterator"])

    async def _describe(self) -> list[Shard]:
        shards: list[Shard] = []
        more: dict[str, str] = {}
        while True:
            answer = await self._ask(
                self._store.streams.describe_stream, StreamArn=await self._stream(), **more
            )
            described = answer["StreamDescription"]
            shards += [
                Shard(
                    each["ShardId"],
                    each.get("ParentShardId"),
                    "EndingSequenceNumber" not in each["SequenceNumberRange"],
                )
                for each in described["Shards"]
            ]
            last = described.get("LastEvaluatedShardId")
            if last is None:
                return shards
            more = {"ExclusiveStartShardId": last}

    async def _stream(self) -> str:
        if not self._arn:
            answer = await self._store.call(
                self._store.dynamo.describe_table, TableName=self._store.jobs
            )
            self._arn = answer["Table"].get("LatestStreamArn", "")
            if not self._arn:
                raise EngineError(f"the table {self._store.jobs} has no stream: deploy the stack")
        return self._arn

    async def _ask(self, method: Any, **arguments: Any) -> Any:
        try:
            return await self._store.call(method, **arguments)
        except EngineError as error:
            if code_of(error.__cause__) in _GONE:
                raise EngineError("the cursor is of before what the stream keeps") from error
            raise


def _add(piece: Piece, record: Mapping[str, Any], after: str) -> None:
    """Add what a record tells, unless it was told before the place `after`."""
    change = record["dynamodb"]
    sequence = str(change["SequenceNumber"])
    image = change.get("NewImage")
    told = 0
    if after.startswith("@"):
        written = change.get("ApproximateCreationDateTime")
        if written is not None and written.timestamp() < float(after[1:]) - _CLOCKS_SECONDS:
            return  # the place stays: what follows may be of before, too
    elif after != BEGINNING and sequence == split(after)[0]:
        told = split(after)[1]
    if image is None or "gone" in image:
        piece.removed.add(change["Keys"]["id"]["S"])
    events = events_of(image)
    for number, event in enumerate(events[told:], told + 1):
        piece.events.append((at(sequence, number), event))
    piece.place = at(sequence, len(events))


def events_of(image: Mapping[str, Any] | None) -> list[Event]:
    """What a change of the table is news of; nothing where it is no job's, or no news."""
    if image is None or "told" not in image:
        return []
    owner = image["owner"]["S"] if "owner" in image else None
    return [
        Event(
            job_id=image["id"]["S"],
            sequence=revision,
            state=JobState(state),
            at=when,
            progress=progress,
            owner=owner,
        )
        for revision, state, when, progress in from_json(image["told"]["S"])
    ]
