"""The same handler, which does nothing, under each kind of limit; none of them is ever reached."""

from collections.abc import Callable
from typing import Any

from eitherway import App, Limit
from shop import Order

app = App("limits")


def customer(order: Order) -> str:
    """One of a thousand."""
    return f"{int(order.id) % 1000}"


SETTINGS: dict[str, dict[str, Any]] = {
    "no limit": {"limit": []},
    "in_flight": {"limit": Limit("places", in_flight=1000)},
    "per_second": {"limit": Limit("starts", per_second=1e6)},
    "adaptive": {"limit": Limit("learnt", adaptive=True)},
    "in_flight for each of 1,000 keys": {"limit": Limit("keys", in_flight=50, key=customer)},
    "per_second for each of 1,000 keys": {"limit": Limit("rates", per_second=1e5, key=customer)},
    "three limits": {
        "limit": [
            Limit("all", in_flight=1000),
            Limit("rate", per_second=1e6),
            Limit("each", in_flight=50, key=customer),
        ]
    },
    "1,000 groups": {"limit": [], "group": customer},
}


def _declare(name: str, settings: dict[str, Any]) -> Callable[..., Any]:
    async def handle(order: Order) -> None:
        """Nothing."""

    app.operation(name=name, **settings)(handle)
    return handle


HANDLERS = {name: _declare(name, settings) for name, settings in SETTINGS.items()}
