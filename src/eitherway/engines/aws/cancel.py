"""To come."""

from typing import Any


async def cancel(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError


async def hide(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError
