"""Says what to install, before anything here imports it."""

from importlib.util import find_spec

from ..errors import ConfigurationError

if find_spec("sqlalchemy") is None:
    raise ConfigurationError('eitherway.sql needs SQLAlchemy: pip install "eitherway[sql]"')
