"""The function behind a WebSocket API: who may connect, and which jobs they want to hear of.

Authorisation is at the handshake alone, by the app's own credentials and tickets. A connection's
life is in the table of channels; what happens to its jobs, the stream's function tells.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pydantic_core import to_json

from ..attempt.hub import News
from ..engines.aws.channels import CONNECTION_SECONDS, Channels, Connection, owner_channel
from ..errors import EngineUnavailableError
from ..gateway.push.frame import Frame, frame_of
from ..gateway.push.handshake import SUBPROTOCOL
from ..gateway.push.replay import event_of
from ..gateway.wire import RefusedError
from ..job import may_see
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
    wanted = list(asked.jobs)
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
        connection = await channels.leave(connection, frame.unsubscribe)
    if len(connection.channels) + len(frame.subscribe) > most:
        await channels.close(connection_id)
        return
    if frame.subscribe:
        connection = await channels.follow(connection, frame.subscribe)
        await _tell(frame, connection, invocation, channels)


async def _tell(
    frame: Frame, connection: Connection, invocation: Invocation, channels: Channels
) -> None:
    """Tell how the jobs are; of what happens from now on the stream tells."""
    runtime = invocation.runtime
    pusher = Pusher(runtime, channels)
    for record in await runtime.engine.get(list(dict.fromkeys(frame.subscribe))):
        if record is None or record.hidden or not may_see(record.owner, connection.principal):
            continue
        await pusher.push(connection, News(event_of(record), record))
