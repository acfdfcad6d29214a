"""Settings: typed, with their environment names (`EITHERWAY_` and the field's name)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr
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
    header_bytes_max: int = Field(
        32_768, ge=1_024, description="most that a request's line and headers may have, in bytes"
    )
    header_seconds: float = Field(
        10.0, gt=0, description="time that a client gets to send a request's line and headers"
    )
    body_bytes_per_second_min: float = Field(
        240.0, ge=0, description="slowest that a request's body may come, over header_seconds"
    )
    idle_seconds: float = Field(
        75.0, gt=0, description="how long a connection may stay open without a request"
    )
    open_connections_max: int = Field(
        16_384, gt=0, description="most open connections of one gateway process"
    )
    wait_seconds_max: float = Field(
        60.0, gt=0, description="longest wait that a client may ask for"
    )
    drain_seconds: float = Field(
        30.0, ge=0, description="time that running attempts get to finish on SIGTERM"
    )
    retention_seconds: float = Field(
        86_400.0, gt=0, description="how long finished jobs are kept; dead letters stay"
    )
    tombstone_seconds: float = Field(
        604_800.0, ge=0, description="how long after its retention a job is said to be gone (410)"
    )
    idempotency_key_seconds: float = Field(
        86_400.0, gt=0, description="how long an Idempotency-Key is kept, from its job or answer on"
    )
    idempotency_key_quoted: bool = Field(
        default=False, description="whether an Idempotency-Key must stand in double quotes"
    )
    callback_urls: str = Field(
        "",
        description="beginnings of the URLs that callbacks may go to, with commas; * for anywhere",
    )
    callback_secrets: SecretStr | None = Field(
        None, min_length=1, description="what callbacks are signed with: whsec_..., with commas"
    )
    callback_networks: str = Field(
        "",
        description="networks that callbacks may go to although they are not public, with commas",
    )
    callback_gone_seconds: float = Field(
        604_800.0, ge=0, description="how long an endpoint that answered 410 is left alone"
    )
    operations: str | None = Field(
        None, description="names of the operations a worker runs, with commas; all by default"
    )
    serve: str = Field(
        "operations,status,push,admin",
        description="parts that a gateway serves, with commas: operations, status, push, admin",
    )
    admin_token: SecretStr | None = Field(
        None, min_length=1, description="operators' credential; without one, /admin is local"
    )
    secret: SecretStr | None = Field(
        None, min_length=32, description="signs tickets; else one is made, and kept in the engine"
    )
    ticket_seconds: float = Field(
        60.0, gt=0, le=3_600, description="how long a ticket opens event streams and a WebSocket"
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="port for a worker's own /metrics, /livez and /readyz"
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="how log lines look: console for people, json for programs"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least level that is logged"
    )
    access_log: bool = Field(
        default=False,
        description="whether each request, and each attempt that succeeds, has a line in the log",
    )
    otel: bool = Field(
        default=False,
        description="whether requests, jobs and attempts are spans of OpenTelemetry, too",
    )
    allowed_origins: str = Field(
        "",
        description="origins whose pages may open a WebSocket, with commas; else the gateway's own",
    )
    cors_origins: str = Field(
        "",
        description="origins whose pages may call the gateway, with commas; * is any",
    )
    connections_max: int = Field(
        10_000, gt=0, description="most push connections (WebSocket and SSE) of one gateway process"
    )
    subscriptions_max: int = Field(
        1_000, gt=0, description="most jobs that one push connection follows"
    )
    push_queue_max: int = Field(
        1_000, gt=0, description="events that wait for a slow reader before it is disconnected"
    )
