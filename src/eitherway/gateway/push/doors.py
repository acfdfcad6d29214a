"""What the gateway serves of push: two streams and a WebSocket."""

from __future__ import annotations

from collections.abc import Mapping

from ...attempt.runtime import Runtime
from ..gatekeeper import Gatekeeper
from ..routes import Endpoint
from .admission import Admission
from .entrance import Entrance
from .sse import EventStreams
from .websocket import EventSocket


class Push:
    """The doors of push, under the gateway's prefix. `admission` counts who is connected."""

    def __init__(self, runtime: Runtime, prefix: str, gatekeeper: Gatekeeper | None = None) -> None:
        self.admission = Admission(runtime)
        self.entrance = None if gatekeeper is None else Entrance(runtime, gatekeeper)
        streams = EventStreams(runtime, self.admission, f"{prefix}/jobs", self.entrance)
        self.endpoints: Mapping[str, Endpoint] = {
            "/jobs/{id}/events": streams.of_job,
            "/events": streams.of_jobs,
        }
        self.path = f"{prefix}/events"  # of the WebSocket
        self.websocket = EventSocket(
            runtime, self.admission, self.path, f"{prefix}/jobs", self.entrance
        )
