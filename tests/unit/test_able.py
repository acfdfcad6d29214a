"""What an engine cannot hold is refused when the app opens, in one line."""

from dataclasses import replace

import pytest

from eitherway import App, ConfigurationError, Limit, Retry
from eitherway.engines.sqlite.engine import SqliteEngine
from eitherway.engines.sqlite.handlers import capabilities_of
from eitherway.testing import TestApp


@pytest.mark.parametrize(
    ("settings", "able", "what"),
    [
        ({"limit": Limit("db", in_flight=1)}, {"in_flight_min": 4}, "fewer than 4 at once"),
        (
            {"limit": Limit("db", in_flight=9, key=lambda name: name)},
            {"limit_keys": False},
            "no limit for each key: leave key= of 'db' out",
        ),
        ({"group": lambda name: name}, {"lanes": False}, "keeps no order"),
        ({"retry": Retry(ceiling_seconds=999)}, {"delay_seconds_max": 900}, "by 900 s at most"),
    ],
)
async def test_an_app_does_not_open_on_an_engine_that_cannot_hold_it(
    monkeypatch, settings, able, what
):
    """A weaker engine, stood in for by a weaker statement of what SQLite can do."""
    app = App("asking")

    @app.operation(**settings)
    async def work(name: str) -> None: ...

    weak = replace(capabilities_of(None), **able)
    monkeypatch.setattr(SqliteEngine, "capabilities", weak)
    with pytest.raises(ConfigurationError, match=what) as refusal:
        async with TestApp(app):
            pass
    assert str(refusal.value).startswith("work: this engine ")
    assert "\n" not in str(refusal.value)
