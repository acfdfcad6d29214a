"""The operations behind callbacks: declared like anybody's, with policies of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..attempt.telling import EVENT, EVENT_ATTEMPTS, TELLING_SECONDS
from ..clock import Clock
from ..engine.contract import Engine
from ..ids import Randomness
from ..operation import Operation
from ..policy import Limit, Retry
from ..settings import Settings
from . import requires  # noqa: F401 - before what it is about
from .guard import DestinationRefusedError
from .postman import JobLostError, Letter, Postman, parsed
from .schedule import RETRY

CALLBACK = "eitherway.callback"
"""The operation that delivers."""

TIMEOUT_SECONDS = 15.0
_IN_FLIGHT = 256
_IN_FLIGHT_OF_A_HOST = 8


def delivering(
    operations: Iterable[Operation],
    engine: Engine,
    clock: Clock,
    randomness: Randomness,
    settings: Settings,
) -> Sequence[Operation]:
    """What an app with callbacks has to run beside its own. `ConfigurationError`."""
    postman = Postman(operations, engine, clock, randomness, settings)
    write = Operation(
        name=EVENT,
        handler=postman.write,
        is_own=True,
        retry=Retry(attempts=EVENT_ATTEMPTS, never=(JobLostError, DestinationRefusedError)),
        limits=(Limit(in_flight=_IN_FLIGHT),),
        deadline_seconds=TELLING_SECONDS,
    )
    deliver = Operation(
        name=CALLBACK,
        handler=postman.deliver,
        is_own=True,
        retry=replace(RETRY, never=(DestinationRefusedError,)),
        limits=(
            Limit(in_flight=_IN_FLIGHT),
            Limit(in_flight=_IN_FLIGHT_OF_A_HOST, key=_host),  # a slow one holds nobody else up
        ),
        timeout_seconds=TIMEOUT_SECONDS,
        deadline_seconds=TELLING_SECONDS,
    )
    return [write, deliver]


def _host(letter: Letter) -> str:
    return parsed(letter.url).authority
