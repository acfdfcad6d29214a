"""The engine's URL: `aws://REGION[/PREFIX]`."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ...errors import ConfigurationError
from .names import PREFIX, is_prefix

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d\Z")


class Place(NamedTuple):
    """Where a stack is, and what it is called."""

    region: str
    prefix: str


def place_of(url: str) -> Place:
    """The region and the prefix that a URL names. `ConfigurationError` where it is no such URL."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or PREFIX
    if parts.scheme != "aws" or parts.query or parts.fragment:
        raise ConfigurationError(f"{url!r} is not aws://REGION[/PREFIX]")
    if not _REGION.match(parts.netloc):
        raise ConfigurationError(f"{url!r} names no region: aws://eu-west-1/{prefix}, say")
    if not is_prefix(prefix):
        raise ConfigurationError(
            f"{prefix!r} in {url!r} is no prefix: a letter, then up to 31 letters, digits, -"
        )
    return Place(parts.netloc, prefix)
