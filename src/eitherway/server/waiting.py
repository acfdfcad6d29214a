"""What a connection waits for, how long it may, and what becomes of what nobody reads."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..problem import Problem
from .bounds import LINGER_BYTES_MAX, UNREAD_BYTES_MAX
from .crowd import Crowd, Place
from .exchange import Exchange
from .measure import Measure
from .outgoing import Outgoing


class WaitingConnection(HttpToolsProtocol):
    """uvicorn's protocol, with a place in the crowd."""

    place: Place | None = None
    cycle: Exchange
    outgoing: Outgoing

    def __init__(self, *args: Any, crowd: Crowd, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._crowd = crowd
        self._measure = Measure(crowd.bounds)
        self._deaf = False  # what still comes is not read any more
        self._ignored_bytes = 0

    @abstractmethod
    def close(self) -> None:
        """Close after the last answer."""

    @abstractmethod
    def _refuse(self, problem: Problem) -> None:
        """Answer with the problem, and hear no more."""

    def make_room(self) -> None:
        """Close at once: another connection needs the place."""
        self._crowd.move(self, None)
        self.connections.discard(self)
        self.outgoing.abort()

    def out_of_time(self) -> None:
        """What it waits for took too long."""
        crowd, in_request = self._crowd, self._measure.in_head or self._measure.in_body
        if self.place is crowd.leaving or not in_request:
            self.make_room()
        elif self.flow.read_paused or self._on_pace():  # paused: it is us who do not read
            crowd.renew(self)
        else:
            self._refuse(Problem.of("request-timeout"))

    def _take_place(self) -> None:
        crowd, measure = self._crowd, self._measure
        if measure.in_head:
            crowd.move(self, crowd.heads)
        elif measure.in_body:
            crowd.move(self, crowd.bodies)
        elif self.cycle is not None:
            crowd.move(self, crowd.idle if self.cycle.response_complete else None)

    def _on_pace(self) -> bool:
        """Whether it is in a body that comes fast enough, and that somebody waits for."""
        in_body = self.place is self._crowd.bodies and not self.cycle.response_complete
        return in_body and self._measure.on_pace(self._crowd.bodies.seconds)

    def _unwanted(self, size: int) -> bool:
        """Whether this is too much of a body whose request is answered; then close."""
        if not self.cycle.response_complete:
            return False
        self._ignored_bytes += size
        if self._ignored_bytes > UNREAD_BYTES_MAX:
            self.close()
        return self._deaf

    def _ignore(self, size: int) -> None:
        self._ignored_bytes += size
        if self._ignored_bytes > LINGER_BYTES_MAX:
            if self.place is self._crowd.leaving:
                self.transport.abort()
            else:
                self.flow.pause_reading()  # until what came before is answered
