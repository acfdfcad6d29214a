"""To come."""

from typing import Any


async def events(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError
