"""The engine that functions work with."""

from __future__ import annotations

import os

from ..attempt.runtime import Runtime
from ..engines.aws.channels import Channels
from ..engines.aws.engine import AwsEngine
from ..errors import ConfigurationError


def engine_of(runtime: Runtime) -> AwsEngine:
    """The engine on AWS. `ConfigurationError` where the app has another one."""
    if not isinstance(runtime.engine, AwsEngine):
        raise ConfigurationError("functions work with EITHERWAY_ENGINE=aws://REGION/STACK alone")
    return runtime.engine


def channels_of(runtime: Runtime) -> Channels:
    """The WebSocket connections of the stack, posted to at `EITHERWAY_SOCKET_URL`."""
    return engine_of(runtime).channels(os.environ.get("EITHERWAY_SOCKET_URL"))
