"""What a request asks of its operation: read and checked once, run as a call or stored as a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..codec import Params, encode_mapping
from ..engine.idempotency import KeyUse
from ..engine.values import Message, NewJob
from ..errors import InvalidInputError
from ..keys import Counted
from ..operation import Operation
from ..problem import Problem
from ..registry import new_job
from ..trace import Trace
from .wire import RefusedError


@dataclass(slots=True)
class Asked:
    """Of one request; `body` is as it came, `arguments` are what it was decoded to."""

    operation: Operation
    body: bytes
    params: Params
    headers: Mapping[str, str]  # that the handler may see
    arguments: Mapping[str, Any]
    counted: Counted
    key: KeyUse | None
    callback: str | None
    owner: str | None
    trace: Trace | None

    def job(self, job_id: str, now: float, bytes_max: int, key: KeyUse | None) -> NewJob:
        """The job that it makes, under the key. `RefusedError` (413)."""
        message = Message(
            payload=self.body,
            params=encode_mapping(self.params) if self.params else b"",
            headers=encode_mapping(self.headers) if self.headers else b"",
        )
        try:
            return new_job(
                self.operation,
                message,
                job_id=job_id,
                now=now,
                payload_bytes_max=bytes_max,
                counted=self.counted,
                trace=self.trace,
                key=key,
                owner=self.owner,
                callback=self.callback,
            )
        except InvalidInputError as error:
            raise RefusedError(Problem.of("payload-too-large", str(error))) from None
