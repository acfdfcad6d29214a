"""To come."""

from typing import Any


async def settle(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError
