"""What the peers' applications share: the order, and a line in a file for each job that ran."""

import os
import sys
import time
from collections.abc import Callable, Mapping

from pydantic import BaseModel

BROKER = os.environ.get("BROKER", "")
_DONE = os.environ.get("DONE", os.devnull)
_descriptor: list[int] = []


class Order(BaseModel):
    id: str
    customer: str
    sku: str
    qty: int
    price: float
    currency: str
    note: str
    t: float = 0.0


def order(number: int) -> Order:
    """One of those that a backlog is made of."""
    return Order(
        id=str(number), customer="c", sku="s", qty=3, price=1.5, currency="EUR", note="n" * 80
    )


def run(asked: Mapping[str, object]) -> None:
    """What every job does: nothing, and a line that says so. One whose note says so first waits."""
    if not _descriptor:
        _descriptor.append(os.open(_DONE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))
    note = str(asked["note"])
    if note.startswith("wait:"):
        time.sleep(float(note.removeprefix("wait:")))
    os.write(_descriptor[0], f"{asked['id']} {time.time():.6f}\n".encode())


def command(**commands: Callable[[], None]) -> None:
    """`python peer.py COMMAND`."""
    commands[sys.argv[1]]()


def count() -> int:
    """`python peer.py fill COUNT`."""
    return int(sys.argv[2])
