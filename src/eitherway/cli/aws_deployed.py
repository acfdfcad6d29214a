"""`aws check`: whether a stack may be deployed where it would be; and what is there already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..aws.lint import read_template
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..engines.aws.deployed import Found


def check_deploy(file: Path) -> str:
    """What a deployment of this template does to what is there: nothing of another's.

    `ConfigurationError` where the stack of its name is another app's, or not eitherway's at all.
    """
    app, stack = _made_for(file, read_template(file).get("Metadata"))
    found = find_stack(stack)
    if found.stack is None:
        return f"no stack is called {stack} in {found.region}: a deployment makes it"
    if found.stack.app is None:
        raise ConfigurationError(
            f"the stack {stack} in {found.region} is none that aws build made, and a deployment "
            "would replace it: build with another --stack"
        )
    if found.stack.app != app:
        raise ConfigurationError(
            f"the stack {stack} in {found.region} is of the app {found.stack.app!r}, and "
            f"{file} of {app!r}: build with another --stack"
        )
    return f"the stack {stack} in {found.region} is of the app {app}: a deployment changes it"


def _made_for(file: Path, metadata: Any) -> tuple[str, str]:
    """The app and the stack that a template was made for."""
    made = metadata.get("eitherway") if isinstance(metadata, Mapping) else None
    if not isinstance(made, Mapping) or not {"app", "stack"} <= made.keys():
        raise ConfigurationError(f"{file} is no template that aws build made")
    return str(made["app"]), str(made["stack"])


def stack_urls(stack: str) -> tuple[str, str]:
    """The URLs of a deployed stack, API and WebSocket. `ConfigurationError`."""
    found = find_stack(stack)
    outputs = {} if found.stack is None else found.stack.outputs
    if "Url" not in outputs or "SocketUrl" not in outputs:
        raise ConfigurationError(f"no stack {stack} in {found.region} that aws build made")
    return outputs["Url"], outputs["SocketUrl"]


def find_stack(stack: str) -> Found:
    """What AWS has under this name. `ConfigurationError`."""
    try:
        from ..engines.aws.deployed import find  # noqa: PLC0415 - it needs the extra
    except ImportError:
        raise ConfigurationError(
            "asking AWS for a stack needs boto3: pip install 'eitherway[aws]'"
        ) from None
    return find(stack)
