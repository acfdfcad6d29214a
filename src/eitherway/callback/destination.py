"""Where a callback goes: a URL, read strictly, so that what is checked is what is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Self

URL_CHARS_MAX = 2048

_PORTS = {"https": 443, "http": 80}
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[\w.~!$&'()*+,;=:@/%-]*)?(?:\?[\w.~!$&'()*+,;=:@/?%-]*)?)",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label that makes a host an address


@dataclass(frozen=True, slots=True)
class Destination:
    """The parts of a URL that a request needs. A host is a name or an address, never both."""

    scheme: str
    host: str  # in lower case, an IPv6 address without its brackets
    port: int
    target: str  # path and query

    @classmethod
    def parse(cls, url: str) -> Self:
        """Of a whole URL. `ValueError` says what is wrong, in words for whoever sent it."""
        if url.startswith("*") or "://*" in url:
            raise ValueError("the host is a name or an address")
        return cls.parse_pattern(url)

    @classmethod
    def parse_pattern(cls, url: str) -> Self:
        """The same; but the host may begin with `*.`, for any name below."""
        if len(url) > URL_CHARS_MAX:
            raise ValueError(f"a URL has {URL_CHARS_MAX} characters at most, not {len(url)}")
        found = _URL.fullmatch(url)
        if found is None:
            raise ValueError(_complaint(url))
        scheme = found["scheme"].lower()
        port = int(found["port"] or _PORTS[scheme])
        if not 1 <= port <= 65_535:
            raise ValueError(f"there is no port {port}")
        target = found["target"]
        path, mark, query = target.partition("?")
        if any(part.lower().replace("%2e", ".") in (".", "..") for part in path.split("/")):
            raise ValueError("the path may not contain '.' or '..' as a segment")
        return cls(scheme, _host(found["host"].lower()), port, (path or "/") + mark + query)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def is_usual(self) -> bool:
        """Whether it is https on its own port: what needs no permission by name."""
        return self.scheme == "https" and self.port == _PORTS["https"]

    @property
    def is_address(self) -> bool:
        """Whether the host is no name."""
        return ":" in self.host or self.host.rpartition(".")[2].isdigit()

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: as the `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def covers(self, other: Destination) -> bool:
        """Whether `other` is below this one: same origin (or a name below it), and a path below."""
        if (self.scheme, self.port) != (other.scheme, other.port):
            return False
        below = self.host.startswith("*.") and other.host.endswith(self.host[1:])
        if self.host != other.host and not below:
            return False
        folder = self.path if self.path.endswith("/") else f"{self.path}/"
        return other.path == self.path or other.path.startswith(folder)


def _complaint(url: str) -> str:
    rest = url.partition("://")[2]
    if "@" in re.split(r"[/?#\\]", rest, maxsplit=1)[0]:
        return "a URL with a user name or a password is not taken"
    if "#" in url:
        return "a URL with a fragment is not taken"
    return "not an absolute http(s) URL of plain ASCII"


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            raise ValueError(f"{text} is no IPv6 address") from None
    labels = text.removeprefix("*.").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except AddressValueError:
            raise ValueError("an IPv4 address is four decimal numbers, such as 192.0.2.1") from None
    if len(text) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("the host is no name that could be looked up")
    return text
