"""To come."""

from typing import Any


async def overdue(core: Any, *more: Any) -> Any:
    """To come."""
    raise NotImplementedError
