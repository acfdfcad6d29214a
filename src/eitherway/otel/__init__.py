"""Spans for OpenTelemetry (the extra `[otel]`); nothing of it is imported where they are off."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from ..errors import ConfigurationError
from ..settings import Settings
from ..spans import Spans


def spans_of(settings: Settings, new_id: Callable[[], str]) -> Spans:
    """What makes the spans of an app. `ConfigurationError` where the extra is missing."""
    if not settings.otel:
        return Spans(new_id)
    _require()
    from .spans import ExportedSpans  # noqa: PLC0415 - only where it is wished for

    return ExportedSpans(new_id)


def set_up_sdk(settings: Settings, service: str) -> None:
    """Give this process an SDK as `OTEL_*` describe it, unless the app has brought its own.

    `ConfigurationError` where the extra is missing.
    """
    if settings.otel:
        _require()
        from .sdk import set_up  # noqa: PLC0415

        set_up(service)


def _require() -> None:
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.trace") is None:
        raise ConfigurationError('EITHERWAY_OTEL needs more: pip install "eitherway[otel]"')
