"""Lets the acceptance tests import their helpers, and begins with the longest."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What endures first: several processes share the tests, and none of them shall be late."""
    items.sort(key=lambda item: item.get_closest_marker("enduring") is None)
