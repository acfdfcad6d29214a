"""From a stored message to a handler's arguments: an older body goes through `upgrade=` first."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json

from ..engine.values import Message
from ..errors import InvalidInputError
from ..operation import Operation, Upgrade


class UpgradeError(InvalidInputError):
    """`upgrade=` raised, or gave what is no JSON; `__cause__` is the exception."""


def arguments_of(operation: Operation, message: Message, version: int) -> dict[str, Any]:
    """The handler's arguments out of a message accepted under `version`. `InvalidInputError`."""
    payload = message.payload
    if operation.upgrade is not None and version < operation.version:
        payload = _upgraded(operation.upgrade, payload, version)
    return operation.binding.decode_message(payload, message.params)


def _upgraded(upgrade: Upgrade, payload: bytes, version: int) -> bytes:
    try:
        body = upgrade(from_json(payload) if payload else None, version)
        return b"" if body is None and not payload else to_json(body)
    except Exception as error:  # it is the user's, and may do anything
        raise UpgradeError(f"upgrade= failed on a body of version {version}") from error
