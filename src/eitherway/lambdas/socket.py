"""The function behind a WebSocket API: who may connect, and which jobs they want to hear of.

Authorisation is at the handshake alone, by the app's own credentials and tickets. A connection's
life is in the table of channels; what happens to its jobs, the stream's function tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic_core import to_json

from ..engines.aws.channels import (
    CONNECTION_SECONDS,
    Channels,
    Connection,
    job_channel,
    owner_channel,
)
from ..errors import EngineUnavailableError
from ..gateway.push.frame import frame_of
from ..gateway.push.handshake import SUBPROTOCOL
from ..gateway.wire import RefusedError
from ..job import JobRecord
from ..problem import Problem
from .api_events import Event, answer_to, scope_of
from .environment import Environment, Invocation, LambdaContext
from .push import Pusher
from .store import channels_of

_environment = Environment(serving=True)


def handler(event: Event, context: LambdaContext) -> dict[str, Any]:
    """Serve `$connect`, `$default` or `$disconnect`."""
    return _environment.run(context, partial(serve, event))


async def serve(event: Event, invocation: Invocation) -> dict[str, Any]:
    """The same, in an invocation under way."""
    route = event["requestContext"]["routeKey"]
    connection_id = event["requestContext"]["connectionId"]
    channels = channels_of(invocation.runtime)
    if route == "$connect":
        return await _connect(event, invocation, channels)
    if route == "$disconnect":
        await channels.forget(connection_id)
    else:
        await _heard(event.get("body") or "", connection_id, invocation, channels)
    return {"statusCode": 200}


async def _connect(event: Event, invocation: Invocation, channels: Channels) -> dict[str, Any]:
    """Let somebody in, or answer the handshake with why not."""
    runtime, push = invocation.runtime, invocation.app.gateway.push
    scope = scope_of(event)
    offered = dict(scope["headers"]).get(b"sec-websocket-protocol", b"").decode("latin-1")
    handshake = {
        **scope,
        "path": push.path,
        "root_path": "",
        "subprotocols": [one.strip() for one in offered.split(",")],
    }
    try:
        asked = await push.websocket.handshake.read(handshake)
        await asked.entry.use()
    except RefusedError as refusal:
        return _refused(event, refusal.problem)
    except EngineUnavailableError:
        return _refused(event, Problem.of("engine-unavailable"))
    principal = asked.entry.principal
    expires = runtime.clock.now() + CONNECTION_SECONDS
    if principal is not None and principal.expires is not None:
        expires = min(expires, principal.expires)
    wanted = _channels(asked.jobs, await runtime.engine.get(asked.jobs))
    if principal is not None and not wanted:
        wanted = [owner_channel(principal.id)]
    connection = Connection(
        id=event["requestContext"]["connectionId"],
        principal=None if principal is None else principal.id,
        expires=expires,
        channels=tuple(wanted),
    )
    await channels.connect(connection)
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": SUBPROTOCOL}}


def _refused(event: Event, problem: Problem) -> dict[str, Any]:
    """API Gateway passes the status on, and nothing else that is to be relied on."""
    headers = [(b"content-type", b"application/problem+json")]
    return answer_to(event, problem.status, headers, to_json(problem.document()))


async def _heard(text: str, connection_id: str, invocation: Invocation, channels: Channels) -> None:
    """Follow what a frame names, and tell how that is now. Whoever says nonsense is let go."""
    connection, frame = await channels.find(connection_id), frame_of(text)
    most = invocation.runtime.settings.subscriptions_max
    if connection is None or frame is None:
        await channels.close(connection_id)
        return
    if frame.unsubscribe:
        connection = await channels.leave(connection, _channels(frame.unsubscribe))
    if len(connection.channels) + len(frame.subscribe) > most:
        await channels.close(connection_id)
        return
    if frame.subscribe:
        await _follow(frame.subscribe, connection, invocation, channels)


async def _follow(
    jobs: Sequence[str], connection: Connection, invocation: Invocation, channels: Channels
) -> None:
    """Follow jobs, and tell how they are; of what happens from now on the stream tells."""
    engine = invocation.runtime.engine
    connection = await channels.follow(connection, _channels(jobs))
    records = await engine.get(jobs)
    every = _channels(jobs, records)
    if not {*every} <= {*connection.channels}:
        connection = await channels.follow(connection, every)
        records = await engine.get(jobs)  # they may have moved before they were followed
    pusher = Pusher(invocation.runtime, channels)
    for record in {record.id: record for record in records if record is not None}.values():
        await pusher.push_state([connection], record)


def _channels(jobs: Sequence[str], records: Sequence[JobRecord | None] = ()) -> list[str]:
    """Where something is told of these jobs: of a repeat, under the first job's id, too.

    A repeat is one under an idempotency key, which API Gateway gives an id of its own.
    """
    ids = dict.fromkeys([*jobs, *(record.id for record in records if record is not None)])
    return [job_channel(job_id) for job_id in ids]
