"""What users may name: sorted, there, and described."""

import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest

import eitherway
import eitherway.auth
import eitherway.client
import eitherway.sql
import eitherway.testing

PUBLIC = [eitherway, eitherway.auth, eitherway.client, eitherway.sql, eitherway.testing]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_exported_names_are_sorted_and_exist(module: ModuleType) -> None:
    assert list(module.__all__) == sorted(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_public_class_from_this_package_is_exported(module: ModuleType) -> None:
    hidden = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and inspect.isclass(value)
        and value.__module__.startswith("eitherway")
    }
    assert hidden <= set(module.__all__)


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_public_name_has_a_docstring(module: ModuleType) -> None:
    assert [name for name, value in described(module) if not inspect.getdoc(value)] == []


def described(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The exported names, and the public methods and properties that eitherway gives them."""
    yield module.__name__, module
    for name in module.__all__:
        value = getattr(module, name)
        yield name, value
        if inspect.isclass(value):
            for owner in value.__mro__:
                if owner.__module__.startswith("eitherway"):
                    yield from methods(owner)


def methods(owner: type) -> Iterator[tuple[str, object]]:
    for name, value in vars(owner).items():
        public = not name.startswith("_")
        if public and (inspect.isfunction(value) or isinstance(value, property | classmethod)):
            yield f"{owner.__name__}.{name}", value
