"""From a URL to an engine, by the entry points of `eitherway.engines`; imported only when used."""

from __future__ import annotations

from importlib.metadata import entry_points

from ..clock import Clock
from ..errors import ConfigurationError
from ..ids import Randomness
from .contract import Engine, Step

GROUP = "eitherway.engines"


def load_engine(
    url: str, *, clock: Clock, randomness: Randomness, at_step: Step = lambda _: None
) -> Engine:
    """The engine that the URL's scheme names, not yet opened. `ConfigurationError` if none does."""
    scheme, separator, _ = url.partition("://")
    known = {point.name: point for point in entry_points(group=GROUP)}
    if not separator or scheme not in known:
        urls = ", ".join(f"{name}://" for name in sorted(known))
        hint = "" if separator else f", such as sqlite:///{url}"
        raise ConfigurationError(f"no engine for {url!r}: give one of {urls}{hint}")
    try:
        engine: type[Engine] = known[scheme].load()
    except ModuleNotFoundError as error:
        extra = f"pip install 'eitherway[{scheme}]'"
        raise ConfigurationError(f"{scheme}:// needs {error.name}: {extra}") from error
    return engine.from_url(url, clock=clock, randomness=randomness, at_step=at_step)
