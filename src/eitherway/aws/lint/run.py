"""All traps, and a template to look for them in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigurationError
from . import apis, permissions, queues
from .findings import Finding, Json, Stack

TRAPS: Sequence[Callable[[Stack], Iterator[Finding]]] = (
    queues.batch_without_window,
    queues.few_receives,
    queues.no_redrive,
    queues.reserved_concurrency,
    queues.short_visibility,
    queues.whole_batches,
    queues.unlimited_concurrency,
    queues.mapping_permissions,
    apis.wrong_protocol,
    apis.malformed_route,
    apis.wrong_subtype,
    apis.missing_response,
    apis.default_success,
    apis.passed_through,
    apis.outlives_gateway,
    permissions.gateway_permissions,
    permissions.invoke_permissions,
    permissions.untrusted_role,
)


def lint(template: Json) -> list[Finding]:
    """Every trap that the template is in."""
    stack = Stack(template)
    return list(dict.fromkeys(finding for trap in TRAPS for finding in trap(stack)))


def read_template(file: Path) -> dict[str, Any]:
    """A template of a file. `ConfigurationError` where it is none, or not in JSON."""
    try:
        found = json.loads(file.read_text())
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(
            f"{file} is not JSON: aws lint reads templates in JSON alone"
        ) from None
    resources = found.get("Resources") if isinstance(found, dict) else None
    if not isinstance(resources, Mapping) or not all(
        isinstance(one, Mapping) and "Type" in one for one in resources.values()
    ):
        raise ConfigurationError(f"{file} is no template: it has no Resources")
    template: dict[str, Any] = found
    return template
