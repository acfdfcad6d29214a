"""`aws build`: template, code and picture in one folder, all of them or none."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .imports import import_seconds
from .package import Code, package
from .picture import picture
from .plan import Plan
from .template import template

TEMPLATE_FILE = "template.json"
PICTURE_FILE = "picture.svg"
TEMPLATE_BYTES_MAX = 1_000_000
"""What CloudFormation takes from S3, where ours lie anyway; of a file alone 51,200."""

RESOURCES_MAX = 500
_NEAR = 0.9


@dataclass(frozen=True, kw_only=True)
class Built:
    """What was written."""

    template: dict[str, Any]
    template_bytes: int
    code: str | None  # the name of the zip
    seconds: float  # that it took
    import_seconds: Mapping[str, float] = field(default_factory=dict)  # where there is code
    warnings: Sequence[str] = field(default_factory=list)

    @property
    def resources(self) -> int:
        """How many resources the stack has."""
        return len(self.template["Resources"])


def build(plan: Plan, code: Code, out: Path, *, zipped: bool = True) -> Built:
    """Write the stack into the folder `out`. `ConfigurationError`, and then it is as it was.

    Not `zipped`, there is no code, and how long it takes to import is not tried.
    """
    began = time.monotonic()
    out = out.resolve()
    _check_folder(out, plan)
    imported: Mapping[str, float] = {}
    with _replacing(out) as folder:
        made = None
        if zipped:
            made = package(code, folder).name
            imported = import_seconds(code.target, Path.cwd())
        document = template(
            plan,
            code.target,
            runtime=f"python{code.python}",
            architecture=code.architecture,
            code_key=made or "code.zip",
        )
        text = json.dumps(document, indent=1) + "\n"
        warnings = [*plan.warnings, *_sizes(document, text)]
        (folder / TEMPLATE_FILE).write_text(text)
        (folder / PICTURE_FILE).write_text(picture(plan))
    return Built(
        template=document,
        template_bytes=len(text.encode()),
        code=made,
        seconds=time.monotonic() - began,
        import_seconds=imported,
        warnings=warnings,
    )


def _sizes(document: dict[str, Any], text: str) -> Iterator[str]:
    """What is to be said of the template's size. `ConfigurationError` where it is too large."""
    size, count = len(text.encode()), len(document["Resources"])
    if count > RESOURCES_MAX or size > TEMPLATE_BYTES_MAX:
        raise ConfigurationError(
            f"the stack has {count} resources in {size} bytes, and CloudFormation takes "
            f"{RESOURCES_MAX} in {TEMPLATE_BYTES_MAX}: make two apps of it"
        )
    if count > _NEAR * RESOURCES_MAX:
        yield f"the stack has {count} resources, and CloudFormation takes {RESOURCES_MAX}"
    if size > _NEAR * TEMPLATE_BYTES_MAX:
        yield f"the template has {size} bytes, and CloudFormation takes {TEMPLATE_BYTES_MAX}"


def _check_folder(out: Path, plan: Plan) -> None:
    """`ConfigurationError` unless the folder is new, empty, or of this very stack."""
    if not out.exists():
        return
    if Path.cwd().is_relative_to(out):  # it is put in place of what is there
        raise ConfigurationError(f"--out {out}: you are in there: give a folder below")
    if not out.is_dir():
        raise ConfigurationError(f"--out {out}: a file is there: give a folder")
    if not any(out.iterdir()):
        return
    try:
        found = json.loads((out / TEMPLATE_FILE).read_text())["Metadata"]["eitherway"]
        app, stack = found["app"], found["stack"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"--out {out}: something else is in there: give a new folder"
        ) from None
    if (app, stack) != (plan.app.name, plan.stack):
        raise ConfigurationError(
            f"--out {out}: it has the stack {stack!r} of the app {app!r}: give another folder"
        )


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place at the end, and is gone if there is none."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
            folder, before = Path(beside) / "new", Path(beside) / "before"
            folder.mkdir()
            yield folder
            if out.exists():
                out.rename(before)
            folder.rename(out)
    except OSError as error:
        raise ConfigurationError(f"--out {out}: {error.strerror or error}") from None
