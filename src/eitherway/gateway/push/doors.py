"""What the gateway serves of push: two streams and a WebSocket."""

from __future__ import annotations

from collections.abc import Mapping

from ...attempt.runtime import Runtime
from ..routes import Endpoint
from .admission import Admission
from .sse import EventStreams
from .websocket import EventSocket


class Push:
    """The doors of push, under the gateway's prefix. `admission` counts who is connected."""

    def __init__(self, runtime: Runtime, prefix: str) -> None:
        self.admission = Admission(runtime)
        streams = EventStreams(runtime, self.admission, f"{prefix}/jobs")
        self.endpoints: Mapping[str, Endpoint] = {
            "/jobs/{id}/events": streams.of_job,
            "/events": streams.of_jobs,
        }
        self.path = f"{prefix}/events"  # of the WebSocket
        self.websocket = EventSocket(runtime, self.admission, self.path, f"{prefix}/jobs")
