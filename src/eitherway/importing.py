"""Finds a user's app; whatever is wrong with its module comes out as one line that says where."""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from .app import App
from .errors import ConfigurationError

_MODULE = re.compile(r"\w+(\.\w+)*")


def load_app(target: str) -> App:
    """Import `module:app` from the current folder or `PYTHONPATH`. `ConfigurationError`."""
    module_name, separator, attribute = target.partition(":")
    if module_name.endswith(".py"):
        raise ConfigurationError(
            f"{target!r}: name the module, not its file: {target.replace('.py', '', 1)}"
        )
    if not separator or not attribute or not _MODULE.fullmatch(module_name):
        raise ConfigurationError(f"{target!r} names no app: give MODULE:APP, such as shop:app")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = import_module(module_name, folder)
    app = getattr(module, attribute, None)
    if app is None:
        apps = [name for name, value in vars(module).items() if isinstance(value, App)]
        hint = f", but {' and '.join(apps)}" if apps else ": give it one, app = App(...)"
        raise ConfigurationError(f"{module_name} has no {attribute!r}{hint}")
    if not isinstance(app, App):
        raise ConfigurationError(f"{target} is a {type(app).__name__}, not an eitherway App")
    return app


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
