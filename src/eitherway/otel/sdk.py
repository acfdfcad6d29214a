"""An SDK for the processes of the command line, where the app sets none up itself."""

from __future__ import annotations

import logging
import os

from opentelemetry import trace

logger = logging.getLogger("eitherway")


def set_up(service: str) -> None:
    """Batches to OTLP over HTTP, as the environment says; a warning where that is not installed."""
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        logger.warning(
            "EITHERWAY_OTEL is on and no spans are sent: set a tracer provider up in the app's "
            "module, or pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        )
        return
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        os.environ.setdefault("OTEL_SERVICE_NAME", service)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
