"""Says what to install, before anything here imports it."""

from importlib.util import find_spec

from ..errors import ConfigurationError

if find_spec("httpx") is None or find_spec("httpx_sse") is None:
    raise ConfigurationError('eitherway.client needs httpx: pip install "eitherway[client]"')
