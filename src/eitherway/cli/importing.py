"""Imports a user's module; whatever is wrong with it comes out as one line that says where."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path
from types import ModuleType

from ..errors import ConfigurationError


def import_module(name: str, folder: str) -> ModuleType:
    """The module, from `folder` or `PYTHONPATH`. `ConfigurationError`."""
    try:
        return importlib.import_module(name)
    except ConfigurationError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(f"no module {name!r} in {folder} or on PYTHONPATH") from None
        raise ConfigurationError(f"{name} needs the module {error.name!r}: install it") from None
    except Exception as error:
        raise ConfigurationError(
            f"{name} cannot be imported: {_place(error, folder)}{type(error).__name__}: "
            f'{getattr(error, "msg", error)} (python -c "import {name}" shows more)'
        ) from error


def _place(error: Exception, folder: str) -> str:
    """Where it happened: the last line of the user's own files."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, folder)}, line {error.lineno}: "
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename), folder)]
    return f"{_short(own[-1].filename, folder)}, line {own[-1].lineno}: " if own else ""


def _is_own(path: Path, folder: str) -> bool:
    return path.is_relative_to(folder) and "site-packages" not in path.parts


def _short(filename: str, folder: str) -> str:
    path = Path(filename)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else filename
