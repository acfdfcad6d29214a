"""Keeps tickets out of the server's log lines, which name the whole URL."""

from __future__ import annotations

import logging
import re

_LOGGERS = ("uvicorn.access", "uvicorn.error")
_SECRET = re.compile(r"(?<=[?&]ticket=)[^&\s\"']+")


class _Redaction(logging.Filter):
    """Rewrites what a line was formed of; lets every line through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(value) for value in record.args)
        record.msg = _redacted(record.msg)
        return True


_REDACTION = _Redaction()


def redact_tickets() -> None:
    """Show tickets as `[hidden]` in uvicorn's log lines, from now on. Idempotent."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_REDACTION)


def _redacted(value: object) -> object:
    return _SECRET.sub("[hidden]", value) if isinstance(value, str) else value
