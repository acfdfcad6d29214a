"""The pytest plugin: the fixture `test_app`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .app import TestApp


@pytest.fixture
def test_app() -> Callable[..., TestApp]:
    """Makes a `TestApp` of an app: `async with test_app(app) as shop: ...`."""
    from .app import TestApp  # noqa: PLC0415 - so that coverage sees the package imported

    def make(app: Any, **options: Any) -> TestApp:
        return TestApp(app, **options)

    return make
