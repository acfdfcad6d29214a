"""Says what to install, before anything here imports it."""

from importlib.util import find_spec

from ..errors import ConfigurationError

if find_spec("httpx") is None or find_spec("standardwebhooks") is None:
    raise ConfigurationError('callbacks need more: pip install "eitherway[webhooks]"')
