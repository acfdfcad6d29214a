"""The code of the functions as a zip: the app, eitherway, and what both need, made for Lambda."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import eitherway

from ..errors import ConfigurationError
from .wheels import install

UNPACKED_BYTES_MAX = 250 * 1024 * 1024
"""What Lambda takes."""

_LEFT_OUT = {"__pycache__", "node_modules", "tests", "test", "build", "dist"}
_NOT_OF_EITHERWAY = {"aws", "cli", "server", "conformance", "testing", "__pycache__"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files make the same zip


@dataclass(frozen=True, kw_only=True)
class Code:
    """What goes into the zip beside eitherway."""

    target: str  # module:app
    architecture: str
    python: str  # such as 3.13
    requirements: Path | None = None
    extras: Sequence[str] = ()  # of eitherway
    included: Sequence[Path] = ()


def package(code: Code, folder: Path) -> Path:
    """Make `code-<digest>.zip` in `folder`. `ConfigurationError`, with pip's reason."""
    tree = folder / "code"
    tree.mkdir()
    install(
        tree,
        architecture=code.architecture,
        python=code.python,
        extras=code.extras,
        requirements=code.requirements,
    )
    _copy_eitherway(tree)
    _copy_app(code, tree)
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    if size > UNPACKED_BYTES_MAX:
        raise ConfigurationError(
            f"the code has {size // 1024**2} MB unpacked, and Lambda takes 250: "
            "leave something out of the requirements"
        )
    made = _zip(tree, folder / "code.zip")
    shutil.rmtree(tree)
    digest = sha256(made.read_bytes()).hexdigest()[:12]
    return made.rename(folder / f"code-{digest}.zip")


def _copy_eitherway(tree: Path) -> None:
    """eitherway as it is here, and its entry points, by which engines are found."""
    source = Path(eitherway.__file__).parent
    shutil.copytree(source, tree / "eitherway", ignore=shutil.ignore_patterns(*_NOT_OF_EITHERWAY))
    # the engine's own room is called as one that stays out
    shutil.copytree(
        source / "engines" / "aws",
        tree / "eitherway" / "engines" / "aws",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    installed = importlib.metadata.distribution("eitherway")
    about = tree / f"eitherway-{installed.version}.dist-info"
    about.mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (about / name).write_text(installed.read_text(name) or "")


def _copy_app(code: Code, tree: Path) -> None:
    """The modules and packages that lie where the app does, and what else is named."""
    for path in [*beside(code.target), *(one.resolve() for one in code.included)]:
        where = tree / path.name
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, where, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(path, where)


def beside(target: str) -> list[Path]:
    """What can be imported from where the app is; of an installed app itself alone."""
    module_name = target.partition(":")[0]
    file = sys.modules[module_name].__file__
    if file is None:
        raise ConfigurationError(f"{module_name} is no file, and so cannot be packed")
    path = Path(file).resolve()
    inner = module_name.count(".") + (path.name == "__init__.py")
    root = path.parents[inner]
    found = [
        one
        for one in sorted(root.iterdir())
        if one.name not in _LEFT_OUT and not one.name.startswith(".")
        if one.suffix == ".py" or (one / "__init__.py").is_file()
    ]
    if "site-packages" in root.parts:
        top = module_name.partition(".")[0]
        return [one for one in found if one.stem == top]
    return found


def _zip(tree: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _LONG_AGO)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return file
