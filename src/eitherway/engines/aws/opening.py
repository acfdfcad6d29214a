"""Opening: the tables have to be there; for tests, on what is not AWS, they are made."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, NoCredentialsError, PartialCredentialsError

from ...clock import Clock
from ...engine.contract import Step
from ...engine.waking import Wake
from ...errors import ConfigurationError, EngineError, EngineUnavailableError
from ...ids import Randomness
from . import tables
from .core import Core
from .counters import Counters
from .hints import Hints
from .limits import Limits
from .mending import Mending
from .store import Store, code_of, gathered
from .stream import Stream
from .url import Place

_AWS = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
)
"""What the names of AWS's own endpoints end in, those of both IP versions included."""

_DENIED = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


async def open_core(
    place: Place, clock: Clock, randomness: Randomness, at_step: Step, *, create: bool
) -> Core:
    """The parts of an open engine. `ConfigurationError`, one line, where a person has to act."""
    try:
        store = Store(place, clock, at_step)
    except BotoCoreError as error:  # a profile that is not there, say
        raise ConfigurationError(f"AWS cannot be used: {error}") from error
    may_create = create and not is_aws(store)
    try:
        await gathered(_table(store, each, create=may_create) for each in _TABLES)
    except BaseException:
        store.close()
        raise
    wake = Wake(clock)
    counters = Counters(store, randomness)
    return Core(
        store=store,
        wake=wake,
        hints=Hints(store, wake, create=may_create),
        limits=Limits(store, wake),
        counters=counters,
        mending=Mending(store, counters),
        log=Stream(store),
        randomness=randomness,
    )


_TABLES = (tables.jobs, tables.items)


def is_aws(store: Store) -> bool:
    """Whether this is AWS itself, where making things is a deployment's."""
    host = str(store.dynamo.meta.endpoint_url)
    return host.endswith(_AWS)


async def _table(store: Store, properties: Any, *, create: bool) -> None:
    wanted = properties(store.place.prefix)
    name = wanted["TableName"]
    try:
        await store.call(store.dynamo.describe_table, TableName=name)
    except EngineUnavailableError as error:
        if isinstance(error.__cause__, NoCredentialsError | PartialCredentialsError):
            raise ConfigurationError(
                "no credentials for AWS: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and the secret"
            ) from error
        raise
    except EngineError as error:
        code = code_of(error.__cause__)
        if code in _DENIED:
            raise ConfigurationError(f"AWS lets this process not see {name}: {error}") from error
        if code != "ResourceNotFoundException":
            raise
        if not create:
            region = store.place.region
            raise ConfigurationError(
                f"there is no table {name} in {region}: eitherway aws build makes its template"
            ) from error
        await _make(store, wanted)


async def _make(store: Store, properties: dict[str, Any]) -> None:
    wanted = dict(properties)
    expiry = wanted.pop("TimeToLiveSpecification", None)
    stream = wanted.pop("StreamSpecification", None)
    if stream is not None:
        wanted["StreamSpecification"] = {**stream, "StreamEnabled": True}
    try:
        await store.call(store.dynamo.create_table, **wanted)
        if expiry is not None:
            await store.call(
                store.dynamo.update_time_to_live,
                TableName=wanted["TableName"],
                TimeToLiveSpecification=expiry,
            )
    except EngineError as error:
        if code_of(error.__cause__) != "ResourceInUseException":  # somebody else makes it
            raise
    waiter = store.dynamo.get_waiter("table_exists")
    await store.call(waiter.wait, TableName=wanted["TableName"], WaiterConfig={"Delay": 1})
