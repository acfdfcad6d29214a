"""Log lines on standard error: for people, or one JSON object a line for programs."""

from __future__ import annotations

import logging
import sys
from typing import Any

from pydantic_core import to_json

from ..gateway.documents import rfc3339
from ..settings import Settings

_CONSOLE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure(settings: Settings) -> None:
    """Log as the settings say; what was configured before is replaced."""
    handler = logging.StreamHandler(sys.stderr)
    json_lines = settings.log_format == "json"
    handler.setFormatter(JsonFormatter() if json_lines else logging.Formatter(_CONSOLE))
    logging.basicConfig(
        level=settings.log_level.upper(), handlers=[handler], force=True
    )  # force: the command line has set up a plain one, for what fails before this


class JsonFormatter(logging.Formatter):
    """A record as a JSON object: time, level, logger, message, and the fields it came with."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line.update({name: value for name, value in fields.items() if value is not None})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line, fallback=str).decode()
