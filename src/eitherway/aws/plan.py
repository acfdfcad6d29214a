"""What an app needs of AWS, read off the app: each operation's numbers, and what is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..app import App
from ..attempt.able import check_able
from ..auth import Anonymous
from ..engines.aws import names
from ..engines.aws.able import CAPABILITIES
from ..errors import ConfigurationError
from ..gateway.description.schemas import REF, Schemas
from ..operation import Operation
from ..settings import Settings
from .accepting import CORS, Accepting, accepting
from .draft4 import IrreducibleError, reduced
from .feeding import Queue, queue_of
from .paths import Route, check_routes, own_routes

DIRECT_SECONDS_MAX = 28
"""API Gateway waits for 29 s; the last one is for the answer."""

WAIT_SECONDS_MAX = 25
"""Of `Prefer: wait`: before API Gateway gives up, there is the request to store and to answer."""

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")  # stands in templates of API Gateway
_DEFAULT_SECONDS = 60.0  # of an operation that says nothing


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One operation on AWS. `notes` say what of it is other than at home."""

    operation: Operation
    accepting: Accepting | None
    queue: Queue | None
    front_seconds: int | None  # of the function that answers requests, where there is one
    model: dict[str, Any] | None  # of the body, where the gateway checks it
    notes: Sequence[str] = ()

    @property
    def at_gateway(self) -> bool:
        """Whether API Gateway itself accepts."""
        return self.accepting is not None and self.accepting.by == "gateway"


class Plan:
    """An app as a stack called `stack`. `ConfigurationError` for the first thing that cannot be."""

    def __init__(
        self, app: App, stack: str, settings: Settings, environment: Sequence[str] = ()
    ) -> None:
        if not names.is_prefix(stack):
            raise ConfigurationError(
                f"--stack {stack!r}: 1 to {names.PREFIX_LENGTH_MAX} letters, digits and hyphens, "
                "a letter first"
            )
        self.app = app
        self.environment = list(environment)  # variables that are parameters of the stack
        self.has_pages = CORS in self.environment
        self.stack = stack
        self.prefix = settings.prefix.rstrip("/")
        self.has_callers = any(not isinstance(one, Anonymous) for one in app.authenticators)
        if not len(app.operations):
            raise ConfigurationError(f"the app {app.name!r} has no operation: declare one")
        self._schemas = Schemas(app.operations)
        self.operations = [self._planned(one) for one in app.operations]
        check_routes(self._routes())
        app.check_routes(settings)

    def _routes(self) -> Iterator[Route]:
        yield from own_routes(self.prefix, has_callers=self.has_callers)
        for one in self.app.operations:
            if one.path is not None and one.method is not None:
                yield Route(one.name, one.method, one.path)

    @property
    def warnings(self) -> Sequence[str]:
        """What of the app is not there, although nothing refuses it."""
        return [f"what is mounted at {path} is not served" for path in self.app.mounted]

    def _planned(self, operation: Operation) -> Planned:
        check_able(CAPABILITIES, operation)
        if not _NAME.fullmatch(operation.name):
            raise ConfigurationError(
                f"{operation.name!r}: on AWS a name has letters, digits, '-', '_', '.' and ':': "
                "give the operation another name="
            )
        if operation.callbacks:
            raise ConfigurationError(
                f"{operation.name}: callbacks need a limit for each host, not kept on AWS: "
                "leave callbacks= out"
            )
        accepted = accepting(operation, has_callers=self.has_callers, has_pages=self.has_pages)
        at_gateway = accepted is not None and accepted.by == "gateway"
        is_called = operation.path is not None and not at_gateway
        seconds, notes = _front_seconds(operation) if is_called else (None, [])
        return Planned(
            operation=operation,
            accepting=accepted,
            queue=None if is_called and accepted is None else queue_of(operation, self.stack),
            front_seconds=seconds,
            model=self._model(operation) if at_gateway else None,
            notes=notes,
        )

    def _model(self, operation: Operation) -> dict[str, Any] | None:
        body = operation.binding.body
        if body is None or not body.required:  # no model lets in that there is none
            return None
        try:
            return reduced(self._schemas.parameter(operation, body), self._schemas.components, REF)
        except IrreducibleError as error:
            raise ConfigurationError(
                f"{operation.name}: API Gateway checks bodies by JSON Schema draft 4, which has no "
                f'"{error}" as the type of {body.name!r} needs it: say accept="function"'
            ) from None

    @cached_property
    def write_units_max(self) -> int | None:
        """What the table of items may be asked to write a second; None where a table has no limit.

        A transaction costs twice what a write does; limits and buckets are kept in there, too.
        """
        capacities = [table.capacity for table in self.app.tables.values()]
        if not capacities or None in capacities:
            return None
        stated = sum(one.per_second for one in capacities if one is not None)
        return math.ceil(2 * stated) + 200


def _front_seconds(operation: Operation) -> tuple[int, list[str]]:
    """How long a request may take, and what is to be said of it."""
    stored = operation.delivery == "queued"
    asked = WAIT_SECONDS_MAX if stored else operation.timeout_seconds
    if asked <= DIRECT_SECONDS_MAX:
        return math.ceil(asked) + 1, []
    if asked != _DEFAULT_SECONDS:
        raise ConfigurationError(
            f"{operation.name}: API Gateway waits 29 s for an answer, and timeout_seconds="
            f"{asked:g} asks for more: give {DIRECT_SECONDS_MAX} or less, "
            'or delivery="queued"'
        )
    note = f"a call ends after {DIRECT_SECONDS_MAX} s, as API Gateway does not wait for 60"
    return DIRECT_SECONDS_MAX + 1, [note]
