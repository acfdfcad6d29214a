"""Messages of SQS as hints: the engine's own, and callers' requests that API Gateway put there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from ..attempt.runtime import Runtime
from ..codec import encode_mapping
from ..engine.idempotency import KeyUse
from ..engine.values import Message, NewJob
from ..engines.aws.taking import Hint
from ..errors import InvalidInputError, MalformedInputError
from ..key_header import own_key
from ..operation import Operation
from ..problem import Problem
from ..registry import new_job
from ..settings import Settings
from ..trace import Trace

_ALONE = "-alone"
_TOO_LARGE = b"{"
"""Kept of a body that there is no room for: what no operation takes for its input."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Received:
    """A message, and the job that it is about; no `hint` where it says nothing of any."""

    id: str
    receipt: str
    queue: str  # its name
    hint: Hint | None
    refusal: Problem | None = None  # of a request whose input does not fit


def received(record: Mapping[str, Any], runtime: Runtime) -> Received:
    """One record of an SQS event. Raises for none of them: a batch has others, too."""
    queue = record["eventSourceARN"].rpartition(":")[2]
    said = {
        name: value.get("stringValue") or ""
        for name, value in (record.get("messageAttributes") or {}).items()
    }
    name, version = said.get("operation", ""), _number(said.get("version", ""))
    operation = runtime.operations.named(name)
    hint, refusal = None, None
    if job_id := said.get("job"):
        alone = queue.endswith(_ALONE)
        hint = Hint(job_id=job_id, operation=name, version=version, alone=alone)
    elif operation is not None and version:
        job, refusal = _requested(record, said, operation, version, runtime)
        hint = Hint(job_id=job.id, operation=name, version=version, new=job)
    return Received(
        id=record["messageId"],
        receipt=record["receiptHandle"],
        queue=queue,
        hint=hint,
        refusal=refusal,
    )


def _requested(
    record: Mapping[str, Any],
    said: Mapping[str, str],
    operation: Operation,
    version: int,
    runtime: Runtime,
) -> tuple[NewJob, Problem | None]:
    """The job of a caller's request, and why it is refused: validated here, as at no door before.

    A refused one keeps what was sent, as far as there is room, for operators to see, and so that
    nothing is run without it if its end cannot be written at once.
    """
    params, headers = _form(said.get("params")), _form(said.get("headers"))
    payload = record["body"].encode() if record["body"].strip() else b""
    message = Message(payload=payload, params=encode_mapping(params))
    created = int(record["attributes"]["SentTimestamp"]) / 1000
    most = runtime.engine.capabilities.payload_bytes_max
    key, refusal = None, None
    if len(message.payload) + len(message.params) > most:
        refusal = Problem.of("payload-too-large", f"a body may have {most} bytes")
        message = Message(payload=_TOO_LARGE)
    else:
        try:
            key = _key(operation, message, headers, created, runtime.settings)
        except InvalidInputError as error:
            refusal = Problem.of("idempotency-key-invalid", str(error))
        if refusal is None and version == operation.version:  # else for `upgrade`, or another one
            refusal = _refusal(operation, payload, params)
    job = new_job(
        operation,
        message,
        job_id=record["messageId"],
        now=created,
        payload_bytes_max=most,
        trace=_trace(headers),
    )
    return replace(job, version=version, key=key), refusal


def _number(text: str) -> int:
    """A version; 0 where the text is none."""
    return int(text) if text.isascii() and text.isdigit() else 0


def _form(text: str | None) -> dict[str, str]:
    """What was given: API Gateway writes an empty value where nothing was."""
    return dict(parse_qsl(text or ""))


def _key(
    operation: Operation,
    message: Message,
    headers: Mapping[str, str],
    created: float,
    settings: Settings,
) -> KeyUse | None:
    """The caller's key, by which a repeat is known: of the operation, as nobody has a name here.

    `InvalidInputError` where it is none.
    """
    given = headers.get("Idempotency-Key") or headers.get("idempotency-key")
    if not given:
        return None
    own = own_key(given.encode(), must_be_quoted=settings.idempotency_key_quoted)
    asked = (message.payload, message.params)
    return KeyUse(
        key=f"{operation.name} {own.decode()}",
        fingerprint=sha256(b"".join(b"%d:%b" % (len(part), part) for part in asked)).digest(),
        expires=created + settings.idempotency_key_seconds,
    )


def _trace(headers: Mapping[str, str]) -> Trace | None:
    if "traceparent" not in headers:
        return None
    return Trace.of([headers["traceparent"]], [headers.get("tracestate", "")])


def _refusal(operation: Operation, payload: bytes, params: Mapping[str, str]) -> Problem | None:
    """What a gateway would have answered; None where the input is one."""
    try:
        operation.binding.decode(payload, params)
    except MalformedInputError as error:
        return Problem.of("malformed-input", str(error))
    except InvalidInputError as error:
        return Problem.of("invalid-input", str(error), errors=error.errors)
    except Exception:  # noqa: BLE001 - a model's own validator: its attempt meets it, and fails alone
        return None
    return None
