"""How much of this process one client may take, and for how long."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from ..settings import Settings

URL_BYTES_MAX = 8_192
HEADERS_MAX = 100
PIPELINED_MAX = 32  # requests of one connection that wait for the one before them

CHUNKS_FREE = 8_192  # of a body, whatever their size; past them,
CHUNK_BYTES_MIN = 8  # so much each, on average
FRAMING_BYTES_FREE = 65_536  # of a body: what is neither data, nor as much as the data

UNREAD_BYTES_MAX = 65_536  # of a body that nobody wants, until the connection is given up
LINGER_SECONDS = 5.0  # and what a client may go on to send after the last answer,
LINGER_BYTES_MAX = 16_777_216  # so that it can read that answer

UNSENT_BYTES_MAX = 65_536  # of answers that wait for the end of the turn, to go out together

KNOWN_BYTES_MAX = 256  # of what is remembered of clients: what they make up is no memory of ours

FIRST_REQUEST_SECONDS = 1.0  # for a connection that was taken just before the server stops

_OTHER_FILES = 128  # descriptors that are no connections: the store, the log, libraries


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the settings say, as far as the operating system allows it."""

    connections_max: int
    idle_seconds: float
    header_bytes_max: int
    header_seconds: float
    body_bytes_per_second_min: float

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """Bounds of this process, whose limit of open files is raised as far as it may."""
        return cls(
            connections_max=min(settings.open_connections_max, _connections_possible()),
            idle_seconds=settings.idle_seconds,
            header_bytes_max=settings.header_bytes_max,
            header_seconds=settings.header_seconds,
            body_bytes_per_second_min=settings.body_bytes_per_second_min,
        )


def _connections_possible() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # some systems have less to give than they say
    unlimited = soft == resource.RLIM_INFINITY
    return 1_000_000 if unlimited else max(1, soft - _OTHER_FILES)
