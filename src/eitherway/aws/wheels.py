"""What a function needs of others: wheels for Lambda, got by pip."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigurationError

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""Lambda's architectures, as wheels call them."""

_GLIBC = {"3.11": 26}
_GLIBC_SINCE = 34
"""Its minor version there: of Amazon Linux 2, and from Python 3.12 on of Amazon Linux 2023."""

_SERVING = {"uvicorn", "uvloop", "httptools", "wsproto", "typer", "rich"}  # no server runs there
_IN_THE_RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath")
_EXTRA = re.compile(r"""extra == ['"]([\w-]+)['"]""")
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[([^]]*)\])?")


def install(
    tree: Path, *, architecture: str, python: str, extras: Sequence[str], requirements: Path | None
) -> None:
    """Put wheels into `tree`: of what eitherway needs, in the versions that are installed here.

    `ConfigurationError`, with pip's reason.
    """
    wanted = list(_needed("eitherway", extras))
    for name, _ in wanted:
        _check_installed(name)
    constraints = tree.with_name("constraints.txt")
    constraints.write_text("\n".join(_installed(wanted)))
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--target", str(tree), "--only-binary=:all:", "--no-compile"),
        *("--python-version", python, "--implementation", "cp"),
        *(f"--platform={platform}" for platform in platforms(architecture, python)),
        *("--constraint", str(constraints)),
        *(f"{name}[{','.join(its_extras)}]" for name, its_extras in wanted),
        *(["-r", str(requirements)] if requirements is not None else []),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    constraints.unlink()
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = said[-1].removeprefix("ERROR: ") if said else done.stderr.strip()[-300:]
        raise ConfigurationError(f"pip cannot make the code for Lambda: {reason}")
    for name in _IN_THE_RUNTIME:
        for path in [*tree.glob(name), *tree.glob(f"{name}-*.dist-info")]:
            shutil.rmtree(path)
    shutil.rmtree(tree / "bin", ignore_errors=True)


def platforms(architecture: str, python: str) -> Iterator[str]:
    """The wheels that run there: for any glibc up to its own."""
    machine = MACHINES[architecture]
    yield f"manylinux2014_{machine}"
    for minor in range(17, _GLIBC.get(python, _GLIBC_SINCE) + 1):
        yield f"manylinux_2_{minor}_{machine}"


Need = tuple[str, Sequence[str]]
"""A distribution, and its extras."""


def _needed(name: str, extras: Sequence[str]) -> Iterator[Need]:
    """What a distribution needs in a function, with these extras."""
    for requirement in importlib.metadata.requires(name) or []:
        wanted, _, marker = requirement.partition(";")
        extra = _EXTRA.search(marker)
        match = _REQUIREMENT.match(wanted)
        if match is None or (extra is not None and extra[1] not in extras):
            continue
        if match[1] not in (*_SERVING, *_IN_THE_RUNTIME):
            yield match[1], [one.strip() for one in (match[2] or "").split(",") if one]


def _installed(needs: Sequence[Need]) -> Iterator[str]:
    """These and what they need, each pinned to what is installed here."""
    left, seen = list(needs), set[str]()
    while left:
        name, extras = left.pop()
        if name in seen:
            continue
        seen.add(name)
        with suppress(importlib.metadata.PackageNotFoundError):  # of another platform or Python
            yield f"{name}=={importlib.metadata.version(name)}"
            left += _needed(name, extras)


def _check_installed(name: str) -> None:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError(
            f"{name} is not installed here: install it, as the app needs it"
        ) from None


def extras() -> Sequence[str]:
    """The extras of eitherway."""
    return importlib.metadata.metadata("eitherway").get_all("Provides-Extra") or []
