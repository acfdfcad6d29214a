"""Prices of one region on one day."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigurationError


class Prices(BaseModel):
    """`prices.json`, or a file with the same keys."""

    model_config = ConfigDict(extra="forbid")

    date: str
    region: str
    currency: str
    source: str = ""
    rest_million_requests: float = Field(ge=0)
    socket_million_messages: float = Field(ge=0)
    lambda_million_requests: float = Field(ge=0)
    lambda_gb_second_arm64: float = Field(ge=0)
    lambda_gb_second_x86_64: float = Field(ge=0)
    sqs_million_requests: float = Field(ge=0)
    dynamodb_million_write_units: float = Field(ge=0)
    dynamodb_million_read_units: float = Field(ge=0)
    alarm_month: float = Field(ge=0)

    @classmethod
    def read(cls, file: Path | None = None) -> Prices:
        """Those of a file, else ours. `ConfigurationError` for what is missing or wrong."""
        try:
            text = (
                file.read_text() if file else files(__package__).joinpath("prices.json").read_text()
            )
            return cls.model_validate_json(text)
        except OSError as error:
            raise ConfigurationError(f"--prices {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"--prices {file}: it is no text") from None
        except ValidationError as error:
            found = error.errors()[0]
            where = "".join(f"{part}: " for part in found["loc"])
            raise ConfigurationError(f"--prices {file}: {where}{found['msg']}") from None
