"""What is counted and timed beside the spans, as semantic conventions 1.44 name it.

No attribute names a job or a caller: each of their values would be a series of its own.
"""

from __future__ import annotations

from opentelemetry import metrics

from .exported import Attributes

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Instruments:
    """Those of HTTP, which are stable, and of messaging, which are in development."""

    def __init__(self) -> None:
        self._meter = metrics.get_meter("eitherway", schema_url=SCHEMA)
        self._requests = self._seconds(
            "http.server.request.duration", "Time from a request's head to the end of its answer."
        )
        self._sending = self._seconds(
            "messaging.client.operation.duration", "Time that storing a job took."
        )
        self._processing = self._seconds(
            "messaging.process.duration", "Time from an attempt's start to its settlement."
        )
        self._sent = self._messages("messaging.client.sent.messages", "Jobs that were stored.")
        self._consumed = self._messages(
            "messaging.client.consumed.messages", "Attempts that were started."
        )

    def request(self, seconds: float, attributes: Attributes) -> None:
        """A request has been answered."""
        self._requests.record(seconds, attributes)

    def sent(self, kind: str, destination: str, seconds: float, error: str | None) -> None:
        """A job was stored, or was to be."""
        attributes = _attributes(kind, destination, error)
        self._sending.record(seconds, attributes)
        self._sent.add(1, attributes)

    def processed(self, destination: str, seconds: float, error: str | None) -> None:
        """An attempt has ended."""
        attributes = _attributes("process", destination, error)
        self._processing.record(seconds, attributes)
        self._consumed.add(1, attributes)

    def _seconds(self, name: str, description: str) -> metrics.Histogram:
        return self._meter.create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=_BUCKETS
        )

    def _messages(self, name: str, description: str) -> metrics.Counter:
        return self._meter.create_counter(name, "{message}", description)


def _attributes(name: str, destination: str, error: str | None) -> Attributes:
    attributes = {
        "messaging.system": "eitherway",
        "messaging.operation.name": name,
        "messaging.destination.name": destination,
    }
    return attributes if error is None else {**attributes, "error.type": error}
