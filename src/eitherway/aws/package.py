"""The code of the functions as a zip: the app, eitherway, and what both need, made for Lambda."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import eitherway

from ..errors import ConfigurationError

PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
"""The wheels for each of Lambda's architectures."""

UNPACKED_BYTES_MAX = 250 * 1024 * 1024
"""What Lambda takes."""

_SERVING = {"uvicorn", "uvloop", "httptools", "wsproto", "typer", "rich"}  # no server runs there
_IN_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")
_LEFT_OUT = {"__pycache__", "node_modules", "tests", "test", "build", "dist"}
_NOT_OF_EITHERWAY = {"aws", "cli", "server", "conformance", "testing", "__pycache__"}
_EXTRA = re.compile(r"""extra == ['"]([\w-]+)['"]""")
_REQUIREMENT = re.compile(r"([\w.-]+)(\[[^]]*\])?")
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
    _install(code, tree)
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


def _install(code: Code, tree: Path) -> None:
    """Wheels for Lambda, in the versions that are installed here."""
    wanted = list(_needed(code.extras))
    if code.requirements is not None:
        wanted += ["-r", str(code.requirements)]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--target", str(tree), "--only-binary=:all:", "--no-compile"),
        *("--platform", PLATFORMS[code.architecture]),
        *("--python-version", code.python, "--implementation", "cp"),
        *wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = said[-1].removeprefix("ERROR: ") if said else done.stderr.strip()[-300:]
        raise ConfigurationError(f"pip cannot make the code for Lambda: {reason}")
    for name in _IN_THE_RUNTIME:
        for path in [*tree.glob(name), *tree.glob(f"{name}-*.dist-info")]:
            shutil.rmtree(path)
    shutil.rmtree(tree / "bin", ignore_errors=True)


def _needed(extras: Sequence[str]) -> Iterator[str]:
    """What eitherway itself needs in a function, and what its extras do, pinned."""
    for requirement in importlib.metadata.requires("eitherway") or []:
        wanted, _, marker = requirement.partition(";")
        extra = _EXTRA.search(marker)
        if extra is not None and extra[1] not in extras:
            continue
        name, brackets = _REQUIREMENT.match(wanted).groups()  # type: ignore[union-attr]
        if name not in _SERVING and name not in _IN_THE_RUNTIME:
            yield f"{name}{brackets or ''}=={_version(name)}"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError(
            f"{name} is not installed here: install it, as the app needs it"
        ) from None


def extras() -> Sequence[str]:
    """The extras of eitherway."""
    return importlib.metadata.metadata("eitherway").get_all("Provides-Extra") or []


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
    root = _root(code.target)
    wanted = [
        path
        for path in sorted(root.iterdir())
        if path.name not in _LEFT_OUT and not path.name.startswith(".")
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    ]
    for path in [*wanted, *(one.resolve() for one in code.included)]:
        where = tree / path.name
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, where, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(path, where)


def _root(target: str) -> Path:
    """The folder from which the module is imported."""
    module_name = target.partition(":")[0]
    file = sys.modules[module_name].__file__
    if file is None:
        raise ConfigurationError(f"{module_name} is no file, and so cannot be packed")
    path = Path(file).resolve()
    inner = module_name.count(".") + (path.name == "__init__.py")
    return path.parents[inner]


def _zip(tree: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _LONG_AGO)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return file
