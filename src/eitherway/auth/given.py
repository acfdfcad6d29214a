"""What an app was given as `auth=`."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigurationError
from .authenticator import Authenticator


def authenticators(given: Authenticator | Sequence[Authenticator] | None) -> list[Authenticator]:
    """One, several or none. `ConfigurationError` for an empty list: it does not say nobody."""
    if given is None:
        return []
    several = list(given) if isinstance(given, Sequence) else [given]
    wrong = [one for one in several if not isinstance(one, Authenticator)]
    if wrong or not several:
        what = f"{wrong[0]!r} is none" if wrong else "an empty list lets nobody in"
        raise ConfigurationError(
            f"auth={what}: give authenticators, as ApiKeys(), Jwt(...), Anonymous(); or no auth="
        )
    return several
