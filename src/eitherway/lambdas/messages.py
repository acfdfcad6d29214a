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
from ..operation import Operation
from ..problem import Problem
from ..registry import new_job
from ..settings import Settings
from ..trace import Trace

_ALONE = "-alone"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Received:
    """A message, and the job that it is about; no `hint` where it says nothing of any."""

    id: str
    receipt: str
    queue: str  # its name
    hint: Hint | None
    refusal: Problem | None = None  # of a request whose input does not fit


def received(record: Mapping[str, Any], runtime: Runtime) -> Received:
    """One record of an SQS event. Messages of callers are validated here, as at no door before."""
    queue = record["eventSourceARN"].rpartition(":")[2]
    said = {
        name: value.get("stringValue")
        for name, value in (record.get("messageAttributes") or {}).items()
    }
    operation = runtime.operations.named(said.get("operation") or "")
    version = int(said.get("version") or 0)
    hint, refusal = None, None
    if job_id := said.get("job"):
        name, alone = said.get("operation") or "", queue.endswith(_ALONE)
        hint = Hint(job_id=job_id, operation=name, version=version, alone=alone)
    elif operation is not None and version:
        params, headers = _form(said.get("params")), _form(said.get("headers"))
        payload = record["body"].encode() if record["body"].strip() else b""
        if version == operation.version:  # others are for `upgrade`, or for a newer worker
            refusal = _refusal(operation, payload, params, runtime)
        message = Message(payload=payload, params=encode_mapping(params))
        job = new_job(
            operation,
            Message() if refusal else message,
            job_id=record["messageId"],
            now=int(record["attributes"]["SentTimestamp"]) / 1000,
            payload_bytes_max=runtime.engine.capabilities.payload_bytes_max,
            trace=_trace(headers),
        )
        job = replace(job, version=version, key=_key(operation, job, headers, runtime.settings))
        hint = Hint(job_id=job.id, operation=job.operation, version=version, new=job)
    return Received(
        id=record["messageId"],
        receipt=record["receiptHandle"],
        queue=queue,
        hint=hint,
        refusal=refusal,
    )


def _form(text: str | None) -> dict[str, str]:
    """What was given: API Gateway writes an empty value where nothing was."""
    return dict(parse_qsl(text or ""))


def _key(
    operation: Operation, job: NewJob, headers: Mapping[str, str], settings: Settings
) -> KeyUse | None:
    """The caller's key, by which a repeat is known: of the operation, as nobody has a name here."""
    given = headers.get("Idempotency-Key") or headers.get("idempotency-key")
    if not given:
        return None
    asked = (job.message.payload, job.message.params)
    return KeyUse(
        key=f"{operation.name} {given.strip().strip(chr(34))}",
        fingerprint=sha256(b"".join(b"%d:%b" % (len(part), part) for part in asked)).digest(),
        expires=job.created + settings.idempotency_key_seconds,
    )


def _trace(headers: Mapping[str, str]) -> Trace | None:
    if "traceparent" not in headers:
        return None
    return Trace.of([headers["traceparent"]], [headers.get("tracestate", "")])


def _refusal(
    operation: Operation, payload: bytes, params: Mapping[str, str], runtime: Runtime
) -> Problem | None:
    """What a gateway would have answered; None where the input is one."""
    size, most = len(payload), runtime.engine.capabilities.payload_bytes_max
    if size > most:
        return Problem.of("payload-too-large", f"a body may have {most} bytes")
    try:
        operation.binding.decode(payload, params)
    except MalformedInputError as error:
        return Problem.of("malformed-input", str(error))
    except InvalidInputError as error:
        return Problem.of("invalid-input", str(error), errors=error.errors)
    return None
