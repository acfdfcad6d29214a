"""The connections of a process, by what they wait for: who has waited too long has to go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from .bounds import LINGER_SECONDS, Bounds
from .heads import KnownHeads

_SWEEP_SECONDS = 1.0


class Waiting(Protocol):
    """A connection, as far as the crowd knows it."""

    place: Place | None

    def out_of_time(self) -> None:
        """What it waits for took too long: let go of it, or take a new time with `renew`."""

    def make_room(self) -> None:
        """Close at once: another connection needs the place."""


class Place:
    """Connections that wait for the same thing, since when; the longest wait first."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds  # that one may wait here
        self.since: dict[Waiting, float] = {}


class Crowd:
    """Where each connection is; at most `Bounds.connections_max` of them."""

    def __init__(self, bounds: Bounds, refused: Callable[[str], None] = lambda _: None) -> None:
        self.bounds = bounds
        self.refused = refused  # told the name of each problem that is answered here
        self.heads_known = KnownHeads()
        self.idle = Place(bounds.idle_seconds)  # between two requests
        self.heads = Place(bounds.header_seconds)  # before or in the headers of a request
        self.bodies = Place(bounds.header_seconds)  # in a body: a look at its pace each time
        self.leaving = Place(LINGER_SECONDS)  # after the last answer
        self._now = asyncio.get_running_loop().time
        self._sweeper: asyncio.TimerHandle | None = None

    def move(self, connection: Waiting, place: Place | None) -> None:
        """It waits for something else now; None: for us, or it is gone."""
        before = connection.place
        if before is not place:
            if before is not None:
                del before.since[connection]
            connection.place = place
            if place is not None:
                place.since[connection] = self._now()

    def renew(self, connection: Waiting) -> None:
        """It gets its time again."""
        if (place := connection.place) is not None:
            del place.since[connection]
            place.since[connection] = self._now()

    def admit(self, connection: Waiting, connections: int) -> bool:
        """Whether it may stay, of so many with it.

        Room for it is made by one that has had its last answer, else by who has waited longest.
        """
        self.move(connection, self.heads)
        if connections <= self.bounds.connections_max:
            return True
        places = [self.leaving] if self.leaving.since else [self.idle, self.heads]
        firsts = [next(iter(place.since.items())) for place in places if place.since]
        longest, _ = min(firsts, key=lambda first: first[1])
        if longest is not connection:
            longest.make_room()
        return longest is not connection

    def start(self) -> None:
        """Look every second for those whose time is over."""
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """Look no more."""
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        self.start()
        now = self._now()
        for place in (self.idle, self.heads, self.bodies, self.leaving):
            late = []
            for connection, since in place.since.items():
                if since + place.seconds > now:
                    break
                late.append(connection)
            for connection in late:
                connection.out_of_time()
