"""The socket that an app is served on."""

from __future__ import annotations

import socket

from ..errors import ConfigurationError
from ..settings import Settings

_UNREAD_SECONDS = 60


def bind(settings: Settings) -> socket.socket:
    """A listening socket. `ConfigurationError`, one line, when the address is not to be had."""
    try:
        listener = socket.create_server(
            (settings.host, settings.port), backlog=2048, reuse_port=False
        )
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            "choose another with --port"
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # a peer that takes nothing is not waited for
        milliseconds = _UNREAD_SECONDS * 1000
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    listener.settimeout(0)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
