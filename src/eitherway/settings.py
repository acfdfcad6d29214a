"""Settings: typed, with their environment names (`EITHERWAY_` and the field's name)."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What may differ from one place of running to another."""

    model_config = SettingsConfigDict(env_prefix="EITHERWAY_", extra="ignore")

    engine: str | None = Field(None, description="URL of the engine; ./<app>.db by default")
    host: str = Field("127.0.0.1", description="address the gateway listens on")
    port: int = Field(8000, ge=0, le=65535, description="port the gateway listens on; 0 picks one")
    public_url: str | None = Field(
        None, description="start of absolute links; else the request's scheme and Host"
    )
    prefix: str = Field("", description="put before the gateway's own paths, such as /jobs")
    body_bytes_max: int = Field(262_144, gt=0, description="largest request body, in bytes")
    wait_seconds_max: float = Field(
        60.0, gt=0, description="longest wait that a client may ask for"
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="time that running attempts get to finish on SIGTERM"
    )
    retention_seconds: float = Field(
        86_400.0, gt=0, description="how long finished jobs are kept; dead letters stay"
    )
