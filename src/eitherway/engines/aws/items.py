"""To come."""

from typing import Any


async def read(store: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError


async def query(store: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError
