"""The rows of the parity table: promise, verdict, how. See `parity.py`."""

from __future__ import annotations

from typing import Literal

_Row = tuple[str, Literal["same", "different", "refused"], str]

DELIVERY: list[_Row] = [
    ("`direct`, plain request", "same", "Lambda, on the call"),
    ("`direct`, `Prefer: respond-async`", "same", "not applied"),
    ("`direct`, `Prefer: wait=n`", "same", "not applied"),
    ("`direct`, past its limit", "same", "503 and `Retry-After`; nothing is stored"),
    (
        "`queued`, plain request",
        "different",
        "202. At the gateway the receipt lacks `created`, `updated` and `deadline` and says "
        '`"recorded": false`: SQS has the job, and the first worker writes its record',
    ),
    ("`queued`, `Prefer: respond-async`", "same", "202"),
    (
        "`queued`, `Prefer: wait=n`",
        "different",
        "at the gateway not applied: 202. With `wait_seconds=` a function stores first, then holds "
        "up to 25 s, as API Gateway allows no more",
    ),
    ("`queued`, past its limit", "same", "202; 503 past `backlog_max`"),
    ("`auto`, plain request", "same", "by a function: 200 while there is room, else 202"),
    ("`auto`, `Prefer: respond-async`", "same", "202"),
    (
        "`auto`, `Prefer: wait=n`",
        "different",
        "a function cannot outlive its answer, so no running call is promoted: "
        "`wait` stores first and holds up to 25 s",
    ),
    ("`auto`, past its limit", "same", "202"),
]

PATHS: list[_Row] = [
    (
        "operations",
        "different",
        "GET, POST, PUT, PATCH and DELETE as declared. HEAD, OPTIONS and methods that are not "
        "declared are a 404. Bodies: `application/json` alone. At the gateway a body that does not fit "
        "and one that is no JSON are both 422, without `errors`, and one above 256 KiB is a dead letter",
    ),
    (
        "`GET /jobs/{id}`",
        "different",
        'while no worker has seen a job of the gateway: `queued`, `"recorded": false`, as long as '
        "the receipt's `?accepted=` is in the queue's retention; without it 404",
    ),
    (
        "`DELETE /jobs/{id}`",
        "different",
        "404 while there is no record: a job of the gateway can be canceled once a worker has seen it",
    ),
    ("`GET /jobs/{id}/result`", "same", ""),
    (
        "`GET /jobs/{id}/events`",
        "different",
        "a function cannot stream: what there is comes at once, then the answer ends, and the reader "
        "comes back with `Last-Event-ID`",
    ),
    (
        "`GET /events`",
        "different",
        "as a poll, like those of one job. The WebSocket is an API of its own, with its own URL (an "
        "output of the stack): the same frames, but connections last 2 h at most, 10 minutes without a "
        "frame, and a document above 128 KB comes without its result",
    ),
    ("`POST /tickets`", "same", ""),
    (
        "`GET /admin/jobs`, `/admin/dead`, `/admin/stats`, `POST /admin/dead/redrive`",
        "different",
        "not served: operators use the command line with `--engine aws://REGION/STACK`",
    ),
    ("`GET /livez`, `/readyz`", "different", "of the function that answers: of no process"),
    ("`GET /metrics`", "different", "not served: CloudWatch has the figures, with alarms"),
    ("`GET /openapi.json`, `/asyncapi.json`, `/docs`", "same", ""),
    ("`GET /eitherway.js`, `/problems/{name}`", "same", ""),
    ("a prefix", "same", "`EITHERWAY_PREFIX` where `aws build` runs"),
]

GUARANTEES: list[_Row] = [
    (
        "1. Record, then reply",
        "different",
        "durability `replicated`. At the gateway the job is durable in SQS, and its record follows: "
        "until then its status is told by `?accepted=`. By a function as at home",
    ),
    (
        "2. Nothing accepted is lost",
        "same",
        "SQS keeps a hint, DynamoDB the record; a sweep each minute",
    ),
    (
        "3. The record is the truth",
        "same",
        "record, items and enqueued jobs in one `TransactWriteItems`",
    ),
    ("4. A late worker cannot commit", "same", "the token in the record"),
    (
        "5. Attempts are honest",
        "same",
        "counted in the record, never by SQS; suspects have a queue of their own, one at a time",
    ),
    (
        "6. Limits are global",
        "different",
        "`in_flight` is 2 at least: fewer is refused. Rates are drawn as blocks of starts",
    ),
    (
        "7. Dead is not gone",
        "same",
        "in the table of jobs; the dead queue is a backstop, with an alarm",
    ),
    (
        "8. The terminal event reaches a subscriber",
        "same",
        "by the stream of the table; who comes late is told at once",
    ),
    (
        "9. Graceful by default",
        "different",
        "Lambda ends environments between invocations; what runs at a function's timeout lapses by "
        "its lease",
    ),
    (
        "10. A deploy loses nothing",
        "same",
        "one queue an operation, over all versions; an older function hands newer jobs back",
    ),
]

POLICIES: list[_Row] = [
    (
        "`timeout_seconds`",
        "different",
        "direct: 28 at most, and the default of 60 is cut to that; more is refused. Queued: 890 at "
        "most, more is refused",
    ),
    ("`retry`, `deadline_seconds`, `lease_seconds`", "same", ""),
    (
        "`limit`: `in_flight`, `per_second`, `adaptive`, `direct_share`",
        "same",
        "`in_flight=1` is refused",
    ),
    ("`limit`: `key=`", "refused", "counters for each key are not kept in DynamoDB"),
    ("`group=`", "refused", "no order is kept among jobs"),
    ("`backlog_max`", "same", "accepted by a function"),
    ("`batch_max`, `batch_wait_seconds`", "different", "a batch is what SQS hands over at once"),
    (
        "`idempotency_key`",
        "different",
        "at the gateway ignored: `required` is accepted by a function",
    ),
    ("`callbacks`", "refused", "nothing delivers them there yet"),
    ("`auth=`", "same", "accepted by a function"),
    (
        "a body's JSON Schema",
        "different",
        "at the gateway draft 4: what that cannot say is refused",
    ),
    (
        "paths",
        "different",
        "each part is text of letters, digits, `.`, `_`, `-`, `:`, or one whole parameter: "
        "others are refused",
    ),
    ("`ctx.headers`", "different", "at the gateway `traceparent` and `tracestate` alone"),
    (
        "`ctx.enqueue`, `App.enqueue`",
        "different",
        "of an operation that has a queue: not of a direct one with a path",
    ),
    (
        "`App.table`, `write_capacity=`",
        "same",
        "and `MaxWriteRequestUnits` as a fuse where every table has one",
    ),
    (
        "`App.mount`, `add_middleware`",
        "different",
        "a mounted application is not served; ASGI middleware sees what functions answer",
    ),
    ("`eitherway.sql`, lifespans, dependencies", "same", "once an environment"),
]
