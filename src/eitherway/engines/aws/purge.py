"""To come."""

from typing import Any


async def purge(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError


async def gone(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError
