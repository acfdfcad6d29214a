"""What an app's settings say of callbacks: where they may go, and what they are signed with."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConfigurationError
from ..settings import Settings
from .addresses import Network, parse_networks, refusal
from .destination import Destination

ANYWHERE = "*"
Callbacks = bool | str | Sequence[str]
"""What an operation declares: none, those that the settings allow, or beginnings of URLs."""

_PREFIX = "whsec_"
_BETWEEN = re.compile(r"[,\s]+")


@dataclass(frozen=True)
class AllowList:
    """Beginnings of the URLs that callbacks may go to."""

    patterns: Sequence[Destination]
    anywhere: bool = False  # any public address, by https on its own port

    @classmethod
    def of(cls, entries: Iterable[str], source: str) -> AllowList:
        """Of URLs, whose host may begin with `*.`, and `*`. `ConfigurationError`."""
        given = [entry for entry in entries if entry]
        try:
            patterns = [Destination.parse_pattern(one) for one in given if one != ANYWHERE]
        except ValueError as error:
            raise ConfigurationError(f"{source}: {error}: give URLs, or * for anywhere") from None
        return cls(patterns, ANYWHERE in given)

    def __bool__(self) -> bool:
        return self.anywhere or bool(self.patterns)

    def allows(self, destination: Destination) -> bool:
        """Whether a callback may go there, as far as its URL tells."""
        if any(pattern.covers(destination) for pattern in self.patterns):
            return True
        return self.anywhere and destination.is_usual


class Secrets:
    """Signing secrets: of everybody, or of the URLs that begin in some way (the longest counts)."""

    def __init__(self, text: str) -> None:
        self._common: list[str] = []
        self._own: dict[Destination, list[str]] = {}
        for entry in filter(None, _BETWEEN.split(text)):
            url, found, secret = entry.rpartition(f"={_PREFIX}")
            if not found:
                self._common.append(_checked(entry))
                continue
            try:
                pattern = Destination.parse_pattern(url)
            except ValueError as error:
                raise ConfigurationError(f"EITHERWAY_CALLBACK_SECRETS: {error}") from None
            self._own.setdefault(pattern, []).append(_checked(_PREFIX + secret))

    def of(self, destination: Destination) -> Sequence[str]:
        """What to sign with; several while they rotate, none where nobody has agreed on one."""
        found = [pattern for pattern in self._own if pattern.covers(destination)]
        if not found:
            return self._common
        return self._own[max(found, key=lambda pattern: (len(pattern.path), len(pattern.host)))]

    def __bool__(self) -> bool:
        return bool(self._common or self._own)


class Rules:
    """All of it, as this process is set. `ConfigurationError`, one line, where it says nothing."""

    def __init__(self, settings: Settings) -> None:
        given = settings.callback_secrets
        self.secrets = Secrets(given.get_secret_value() if given is not None else "")
        self.networks: Sequence[Network] = parse_networks(settings.callback_networks)
        urls = _BETWEEN.split(settings.callback_urls)
        self.common = AllowList.of(urls, "EITHERWAY_CALLBACK_URLS")

    def allow_list(self, operation: str, callbacks: Callbacks) -> AllowList:
        """Where an operation's callbacks may go. `ConfigurationError` where that is nowhere."""
        if not self.secrets:
            raise ConfigurationError(
                f"{operation}: callbacks are signed: give EITHERWAY_CALLBACK_SECRETS, "
                "whsec_ and the base64 of 24 to 64 random bytes"
            )
        if isinstance(callbacks, bool):
            if not self.common:
                raise ConfigurationError(
                    f"{operation}: say where callbacks may go, in EITHERWAY_CALLBACK_URLS: "
                    "https://hooks.example.com/, or * for any public https address"
                )
            return self.common
        entries = [callbacks] if isinstance(callbacks, str) else callbacks
        return AllowList.of(entries, f"{operation}: callbacks")

    def refusal(self, allowed: AllowList, destination: Destination) -> str | None:
        """Why a callback may not go there, as far as the URL's beginning tells."""
        if not allowed.allows(destination):
            return "callbacks of this operation do not go there"
        if not self.secrets.of(destination):
            return "no secret is agreed on for this URL"
        return None

    def leads_inside(self, destination: Destination) -> bool:
        """Whether that is plain without a look-up: the host is an address, and no public one."""
        if not destination.is_address:
            return False
        return refusal(destination.host, self.networks) is not None


def _checked(secret: str) -> str:
    """A secret whose bytes are there and enough; its text stays out of the message."""
    try:
        size = len(base64.b64decode(secret.removeprefix(_PREFIX), validate=True))
    except ValueError:  # of base64, or of what is not even ASCII
        size = 0
    if not secret.startswith(_PREFIX) or not 24 <= size <= 64:
        raise ConfigurationError(
            "EITHERWAY_CALLBACK_SECRETS: a secret is whsec_ and the base64 of 24 to 64 bytes"
        )
    return secret
