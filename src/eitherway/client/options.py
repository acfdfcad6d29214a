"""What a client may be told beside the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import httpx

from ..clock import Clock
from ..policy import Retry

RETRY = Retry(attempts=20, base_seconds=0.1, ceiling_seconds=5.0)


class Options(TypedDict, total=False):
    """Settings of `AsyncClient` and `Client`, which has their defaults."""

    token: str
    headers: Mapping[str, str]
    prefix: str
    wait_seconds: int
    answer_seconds: float
    retry: Retry
    patience_seconds: float
    http: httpx.AsyncClient
    clock: Clock


class RequestOptions(TypedDict, total=False):
    """What a single request may have."""

    json: Any
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    idempotency_key: str
