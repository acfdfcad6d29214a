"""An operation: the typed definition around a handler, with its policies and its delivery."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .callback.rules import Callbacks
from .codec import PATH_PARAMETER, Binding
from .errors import ConfigurationError
from .expect import CHECKED, check_types
from .keys import Keys
from .policy import Accept, Delivery, IdempotencyKey, Limit, Retry

_BODILESS = frozenset({"GET", "HEAD"})
_DAY_SECONDS = 86_400.0

Upgrade = Callable[[Any, int], Any]
"""Makes the body that fits now of an older one (decoded JSON) and the version it is of."""
_IN_FLIGHT = 64
_BATCHES_IN_FLIGHT = 4

_WAIT_SECONDS_MAX = 60.0

BATCH_MAX = 1000
"""The most that `batch_max` may say."""

BATCH_WAIT_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """What is served either way. Made by the decorators of `Router`; checked when made."""

    name: str
    handler: Callable[..., Any]
    method: str | None = None  # None: reached from Python alone
    path: str | None = None
    delivery: Delivery = field(default="direct", metadata=CHECKED)
    retry: Retry = field(default_factory=Retry)
    limits: Sequence[Limit] = ()
    timeout_seconds: float = 60.0  # of an attempt
    deadline_seconds: float = 4 * _DAY_SECONDS  # of a job, from its accept
    lease_seconds: float = 15.0
    backlog_max: int | None = field(
        default=None, metadata=CHECKED
    )  # jobs that wait, until no more are accepted
    wait_seconds: float | None = None  # the longest wait that a request may ask for
    status: int = 200  # of a success
    version: int = 1
    group: Callable[..., Any] | None = field(
        default=None, metadata=CHECKED
    )  # jobs of one group run in order, one at a time
    batch_max: int | None = field(
        default=None, metadata=CHECKED
    )  # items of one call of the handler; None: it takes no list
    batch_wait_seconds: float | None = None  # for a batch to fill
    idempotency_key: IdempotencyKey = field(
        default="optional", metadata=CHECKED
    )  # of requests that are not safe
    upgrade: Upgrade | None = field(
        default=None, metadata=CHECKED
    )  # of bodies that older versions accepted
    callbacks: Callbacks = False  # where a request may have the job's end told to
    accept: Accept | None = field(
        default=None, metadata=CHECKED
    )  # on AWS, of queued requests; None: what the operation needs
    is_own: bool = False  # of eitherway itself: the app's middleware is not for it
    binding: Binding = field(init=False)
    keys: Keys = field(init=False)
    is_async: bool = field(init=False)

    def __post_init__(self) -> None:
        check_types(self, self.name)
        self._check_handler()
        binding = Binding(
            self.handler,
            self.path,
            takes_body=self.method not in _BODILESS,
            batch=self.batch_max is not None,
        )
        if self.batch_max is not None and self.batch_wait_seconds is None:
            object.__setattr__(self, "batch_wait_seconds", BATCH_WAIT_SECONDS)
        object.__setattr__(self, "binding", binding)
        object.__setattr__(self, "is_async", inspect.iscoroutinefunction(self.handler))
        for number, limit in enumerate(self.limits, 1):
            limit.given_to(f"({self.name})" if number == 1 else f"({self.name} {number})")
        object.__setattr__(self, "keys", Keys(self.name, binding, self.limits, self.group))
        self._check()

    @property
    def wait_seconds_max(self) -> float:
        """The longest wait that a request may ask for."""
        return _WAIT_SECONDS_MAX if self.wait_seconds is None else self.wait_seconds

    def _check(self) -> None:
        if self.delivery not in ("direct", "queued", "auto"):
            raise ConfigurationError(
                f'{self.name}: delivery is "direct", "queued" or "auto", not {self.delivery!r}'
            )
        if self.delivery == "auto" and self.group is not None:
            raise ConfigurationError(
                f"{self.name}: a call that runs at once keeps no order: "
                'group= needs delivery="queued"'
            )
        if self.delivery != "direct" and self.method in _BODILESS:
            raise ConfigurationError(
                f"{self.name}: a {self.method} is safe and cannot be queued: "
                'use delivery="direct", or POST'
            )
        self._check_path()
        if not 200 <= self.status <= 299:
            raise ConfigurationError(f"{self.name}: status is of a success, 200 to 299")
        for name in ("timeout_seconds", "deadline_seconds", "lease_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{self.name}: {name} is above 0")
        if self.version < 1:
            raise ConfigurationError(f"{self.name}: versions count from 1")
        self._check_batch()
        self._check_backlog()
        self._check_wait()
        self._check_key()
        self._check_upgrade()
        self._check_callbacks()
        self._check_accept()

    def _check_path(self) -> None:
        if self.path is None:
            return
        if not self.path.startswith("/"):
            raise ConfigurationError(f"{self.name}: the path {self.path!r} must start with /")
        if PATH_PARAMETER.sub("", self.path).count("{"):
            raise ConfigurationError(
                f"{self.name}: the path {self.path!r} has a brace too many: "
                "a parameter is written {name} or {name:int}"
            )

    def _check_handler(self) -> None:
        if inspect.isclass(self.handler):
            raise ConfigurationError(f"{self.name}: a handler is a function, not a class")
        if inspect.isgeneratorfunction(self.handler) or inspect.isasyncgenfunction(self.handler):
            raise ConfigurationError(
                f"{self.name}: a handler returns its result and does not yield: "
                "return a list, or enqueue a job for each part"
            )

    def _check_key(self) -> None:
        if self.idempotency_key not in ("optional", "required", "ignored"):
            raise ConfigurationError(
                f'{self.name}: idempotency_key is "optional", "required" or "ignored", '
                f"not {self.idempotency_key!r}"
            )
        if self.idempotency_key == "required" and self.method in (None, *_BODILESS):
            raise ConfigurationError(
                f"{self.name}: idempotency_key is of requests that change something: "
                "give it to a POST, PUT, PATCH or DELETE"
            )

    def _check_callbacks(self) -> None:
        if self.callbacks and (self.delivery == "direct" or self.path is None):
            raise ConfigurationError(
                f"{self.name}: callbacks are of jobs that requests make: "
                'give it a path, and delivery="queued" or "auto"'
            )

    def _check_accept(self) -> None:
        if self.accept not in (None, "gateway", "function"):
            raise ConfigurationError(
                f'{self.name}: accept is "gateway" or "function", not {self.accept!r}'
            )
        if self.accept and (self.delivery == "direct" or self.path is None):
            raise ConfigurationError(
                f"{self.name}: accept is of requests that are stored: "
                'give it a path, and delivery="queued" or "auto"'
            )

    def _check_batch(self) -> None:
        if self.batch_max is None:
            if self.batch_wait_seconds is not None:
                raise ConfigurationError(
                    f"{self.name}: batch_wait_seconds is for a batch to fill: give batch_max= too"
                )
            return
        if not isinstance(self.batch_max, int) or not 1 <= self.batch_max <= BATCH_MAX:
            raise ConfigurationError(f"{self.name}: batch_max is 1 to {BATCH_MAX}")
        if not 0 <= (self.batch_wait_seconds or 0) < math.inf:
            raise ConfigurationError(f"{self.name}: batch_wait_seconds is 0 or more")

    def _check_backlog(self) -> None:
        most = self.backlog_max
        if most is None:
            return
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ConfigurationError(f"{self.name}: backlog_max is a number of jobs, 1 or more")
        if self.delivery == "direct" and self.method is not None:
            raise ConfigurationError(
                f"{self.name}: backlog_max is of jobs that wait, and a direct call makes none: "
                'use delivery="queued", or a limit'
            )

    def _check_wait(self) -> None:
        if self.wait_seconds is None:
            return
        if not 0 < self.wait_seconds < math.inf:
            raise ConfigurationError(f"{self.name}: wait_seconds is above 0")
        if self.delivery == "direct":
            raise ConfigurationError(
                f"{self.name}: wait_seconds is for a job's result, and a direct call makes no job: "
                'use delivery="queued" or "auto"'
            )

    def _check_upgrade(self) -> None:
        if self.upgrade is None:
            return
        if not callable(self.upgrade) or inspect.iscoroutinefunction(self.upgrade):
            raise ConfigurationError(
                f"{self.name}: upgrade is a plain function of a body and its version"
            )
        if self.version == 1:
            raise ConfigurationError(
                f"{self.name}: upgrade is for jobs of older versions, and 1 is the first: "
                "raise version"
            )
        if self.binding.body is None:
            raise ConfigurationError(
                f"{self.name}: upgrade makes a body, and the handler takes none"
            )


def default_limit(batch_max: int | None) -> Limit:
    """The limit of an operation that names none: room for some batches, where it has those."""
    room = _BATCHES_IN_FLIGHT * batch_max if isinstance(batch_max, int) else 0
    return Limit(in_flight=max(_IN_FLIGHT, room))
