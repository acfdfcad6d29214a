"""The way to DynamoDB and SQS: clients, the threads that use them, and what their errors mean."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, partial
from itertools import count
from typing import Any, TypeVar

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.loaders import Loader, create_loader

from ...clock import Clock
from ...engine.contract import Step
from ...errors import EitherwayError, EngineError, EngineUnavailableError
from . import names
from .url import Place

T = TypeVar("T")

logger = logging.getLogger("eitherway.engine")

THREADS = 16
"""Requests at once: a batch of conditional writes is as many requests."""

_THROTTLED = frozenset(
    {
        "OverLimit",
        "ProvisionedThroughputExceeded",  # of a transaction's member
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ThrottlingError",  # likewise
        "ThrottlingException",
    }
)
FOR_NOW = _THROTTLED | {
    "InternalFailure",
    "InternalServerError",
    "LimitExceededException",
    "ServiceUnavailable",
    "TransactionConflictException",
    "TransactionInProgressException",
}
"""What is refused with these codes may be taken later."""


class Store:
    """One process's clients of a stack. On the event loop; `call` does its work on a thread."""

    def __init__(self, place: Place, clock: Clock, at_step: Step) -> None:
        self.place = place
        self.clock = clock
        self.at_step = at_step
        self.jobs = names.jobs_table(place.prefix)
        self.items = names.items_table(place.prefix)
        # Of this process. Not from `Randomness`: a seed must not give two processes the same name.
        self.name = os.urandom(8).hex()
        self._marks = count(1)
        quiet = logging.getLogger("botocore")  # at INFO it tells where it found its settings
        if quiet.level == logging.NOTSET:
            quiet.setLevel(logging.WARNING)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="eitherway-aws")
        self._session = session = _session(place.region)
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 2},
            connect_timeout=5,
            read_timeout=10,
            max_pool_connections=4 * THREADS,
        )
        self._management: dict[str, Any] = {}
        self.dynamo = session.client("dynamodb", config=self._config)
        long = Config(read_timeout=30)  # a long poll takes 20
        self.sqs = session.client("sqs", config=self._config.merge(long))

    def close(self) -> None:
        """Take no more calls. What is under way ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in (self.dynamo, self.sqs, *self._management.values()):
            client.close()
        if "streams" in self.__dict__:
            self.streams.close()

    @cached_property
    def streams(self) -> Any:
        """The client of streams; a worker reads none, and it takes a while to make one."""
        return self._session.client("dynamodbstreams", config=self._config)

    def management(self, url: str) -> Any:
        """The client that posts to WebSocket connections at a URL; the same one each time."""
        if url not in self._management:
            self._management[url] = self._session.client(
                "apigatewaymanagementapi", endpoint_url=url, config=self._config
            )
        return self._management[url]

    def now(self) -> float:
        """The time of the engine's clock."""
        return self.clock.now()

    def mark(self) -> str:
        """What no other write is marked with, of this process or another."""
        return f"{self.name}.{next(self._marks)}"

    async def call(self, method: Callable[..., T], **arguments: Any) -> T:
        """What a client's method gives; its errors as the engine's own."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, partial(method, **arguments))
        except (ClientError, BotoCoreError) as error:
            raise engine_error(error) from error
        except RuntimeError as error:  # the pool is shut down
            raise EngineError("the engine is closed") from error

    def start(self, poll: Callable[[], None]) -> None:
        """Run what waits for long on a thread of its own, which keeps no process alive."""
        threading.Thread(target=poll, name="eitherway-aws-poll", daemon=True).start()

    async def get(
        self, table: str, keys: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any] | None]:
        """The items of these keys as they are now, None where there is none."""
        unique = {_name(key): key for key in keys}
        parts = [list(unique.values())[at : at + 100] for at in range(0, len(unique), 100)]
        found: dict[Any, Mapping[str, Any]] = {}
        for images in await gathered(self._get_part(table, part) for part in parts):
            found.update(
                {_name({name: image[name] for name in keys[0]}): image for image in images}
            )
        return [found.get(_name(key)) for key in keys]

    async def partition(self, place: str) -> list[Mapping[str, Any]]:
        """All items under one hash of the table of items, as they are now."""
        found: list[Mapping[str, Any]] = []
        start: dict[str, Any] = {}
        while True:
            answer = await self.call(
                self.dynamo.query,
                TableName=self.items,
                KeyConditionExpression="place = :place",
                ExpressionAttributeValues={":place": {"S": place}},
                ConsistentRead=True,
                **start,
            )
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def _get_part(
        self, table: str, keys: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        left: Any = {table: {"Keys": list(keys), "ConsistentRead": True}}
        while left:
            answer = await self.call(self.dynamo.batch_get_item, RequestItems=left)
            images = answer["Responses"].get(table, [])
            found += images
            left = answer.get("UnprocessedKeys")
            if left and not images:
                raise EngineUnavailableError("DynamoDB takes no more reads for now")
        return found


def _session(region: str) -> boto3.session.Session:
    """A session of its own, with credentials as they are now; what describes AWS is read once."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader(core.get_config_variable("data_path")))
    return boto3.session.Session(region_name=region, botocore_session=core)


@cache
def _loader(data_path: str | None) -> Loader:
    return create_loader(data_path)


def _name(key: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((name, *value.items()) for name, value in sorted(key.items()))


async def gathered(calls: Iterable[Awaitable[T]]) -> list[T]:
    """What all of them give, at once; the first error once all have ended."""
    return whole(await outcomes(calls))


async def outcomes(calls: Iterable[Awaitable[T]]) -> list[T | BaseException]:
    """What each of them gives, at once, or its error."""
    return await asyncio.gather(*calls, return_exceptions=True)


def whole(results: Sequence[T | BaseException]) -> list[T]:
    """The results; the first error, if there is one."""
    found: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found


def some(results: Sequence[T | BaseException]) -> list[T]:
    """Those that are no errors: what was done must be known. The error where nothing was."""
    found = [result for result in results if not isinstance(result, BaseException)]
    for result in results:
        if isinstance(result, BaseException):
            if not found or not isinstance(result, EngineError):
                raise result
            logger.warning("a part of a batch is for later: %s", result)
    return found


def code_of(error: BaseException | None) -> str:
    """The code that AWS gave, empty where it gave none."""
    return error.response["Error"].get("Code", "") if isinstance(error, ClientError) else ""


def is_throttled(error: EitherwayError) -> bool:
    """Whether AWS had no room for it now: of a table, an index or an account."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    reasons = cause.response.get("CancellationReasons", ())
    return not _THROTTLED.isdisjoint({code_of(cause), *(each.get("Code") for each in reasons)})


def engine_error(error: ClientError | BotoCoreError) -> EitherwayError:
    """What an error of AWS means to a caller."""
    if isinstance(error, ParamValidationError):
        return EngineError(f"boto3 does not send it: {_line(error)}")
    if not isinstance(error, ClientError):
        return EngineUnavailableError(f"AWS cannot be reached: {_line(error)}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code_of(error) in FOR_NOW or status >= 500:
        return EngineUnavailableError(f"AWS refuses for now: {_line(error)}")
    return EngineError(f"AWS refuses: {_line(error)}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
