"""Exactly once in your own SQL database, through SQLAlchemy 2. The extra `[sql]`."""

from . import requires as requires
from .marked import once
from .markers import forget
from .schema import create_once_table, once_table
from .timing import observe

__all__ = ["create_once_table", "forget", "observe", "once", "once_table"]
