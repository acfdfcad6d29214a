"""What is written in one turn of the event loop goes out together, before the connection ends."""

import asyncio

import pytest

from eitherway.server.bounds import UNSENT_BYTES_MAX
from eitherway.server.outgoing import Outgoing


class Recorded(asyncio.Transport):
    """A transport that writes down what it is told."""

    def __init__(self):
        super().__init__()
        self.told = []
        self.closed = False

    def write(self, data):
        self.told.append(data)

    def write_eof(self):
        self.told.append("eof")

    def close(self):
        self.told.append("close")
        self.closed = True

    def abort(self):
        self.told.append("abort")
        self.closed = True

    def is_closing(self):
        return self.closed


def outgoing():
    transport = Recorded()
    return Outgoing(transport, transport.close, asyncio.get_running_loop()), transport


async def test_one_turn_is_one_call():
    """A head and its body go out together; what comes in a later turn goes for itself."""
    sent, transport = outgoing()
    sent.write(b"head ")
    sent.write(b"body")
    assert transport.told == []
    await asyncio.sleep(0)
    sent.write(b"more")
    await asyncio.sleep(0)
    assert transport.told == [b"head body", b"more"]


async def test_much_goes_out_at_once():
    """So that a transport that is full can say so before the turn ends."""
    sent, transport = outgoing()
    sent.write(b"a" * UNSENT_BYTES_MAX)
    assert transport.told == []
    sent.write(b"b")
    assert transport.told == [b"a" * UNSENT_BYTES_MAX + b"b"]


@pytest.mark.parametrize(
    ("ends", "how"), [("end", "close"), ("abort", "abort"), ("write_eof", "eof")]
)
async def test_nothing_is_left_behind(ends, how):
    """What was written goes out before the end."""
    sent, transport = outgoing()
    sent.write(b"answer")
    getattr(sent, ends)()
    assert transport.told == [b"answer", how]


async def test_a_closed_transport_is_left_alone():
    """It would raise."""
    sent, transport = outgoing()
    sent.write(b"answer")
    transport.close()
    await asyncio.sleep(0)
    assert transport.told == ["close"]
