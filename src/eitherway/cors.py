"""Cross-origin requests (Fetch standard, CORS): what a browser's page must be let send and read."""

from __future__ import annotations

from typing import TypedDict

EXPOSED_HEADERS = (
    "Location",
    "Operation-Location",
    "Retry-After",
    "ETag",
    "Preference-Applied",
    "Idempotent-Replayed",
    "Allow",
    "WWW-Authenticate",
)
"""The headers of our responses that scripts need and browsers hide unless they are exposed."""


class CorsOptions(TypedDict):
    """Arguments of Starlette's `CORSMiddleware`."""

    allow_origins: list[str]
    allow_methods: list[str]
    allow_headers: list[str]
    expose_headers: list[str]


def cors_options(*origins: str) -> CorsOptions:
    """What Starlette's `CORSMiddleware` is to be given, so that pages of these origins can do all.

    Any method and any request header (`Prefer`, `Idempotency-Key`, `Authorization`, `traceparent`,
    those of your own); no cookies. `"*"` stands for every origin.
    """
    return CorsOptions(
        allow_origins=list(origins),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=list(EXPOSED_HEADERS),
    )


def origins_of(setting: str) -> list[str]:
    """The origins that a setting names, with commas."""
    return [one.strip().rstrip("/") for one in setting.split(",") if one.strip()]
