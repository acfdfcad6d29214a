"""An SDK for the processes of the command line, where the app sets none up itself."""

from __future__ import annotations

import logging
import os

from opentelemetry import metrics, trace

logger = logging.getLogger("eitherway")


def set_up(service: str) -> None:
    """Batches to OTLP over HTTP, as the environment says; a warning where that is not installed.

    A provider that the app has set up, of spans or of metrics, is left as it is.
    """
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        os.environ.setdefault("OTEL_SERVICE_NAME", service)
    try:
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            _send_spans()
        # the one that stands for a provider to come has no public name
        if not hasattr(metrics.get_meter_provider(), "force_flush") and _metrics_wanted():
            _send_metrics()
    except ImportError:
        logger.warning(
            "EITHERWAY_OTEL is on and nothing is sent: set a provider up in the app's module, "
            "or pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        )


def _metrics_wanted() -> bool:
    return os.environ.get("OTEL_METRICS_EXPORTER", "otlp") == "otlp"


def _send_spans() -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _send_metrics() -> None:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter,
    )
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader]))
