"""Between bytes and a handler's arguments: decode, validate, encode, by Pydantic's TypeAdapter.

Both deliveries go through the same `Binding`, so that what one refuses the other refuses, with the
same words. Python's `enqueue` does too, and may pass what Python converts.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Union
from uuid import UUID

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError, from_json, to_json

from .dependencies import Needs, Own, needs_of, return_annotation
from .elements import item_parameter, refuse_path_parameters, result_element
from .errors import ConfigurationError, InvalidInputError
from .mistakes import entry
from .reading import read_again, read_parameter, refuse_constants

_SCALARS = (str, int, float, bool, bytes, Decimal, date, datetime, time, timedelta, UUID, Enum)
PATH_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
Source = Literal["path", "query", "body"]
Params = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a handler, and where its value comes from."""

    name: str
    source: Source
    adapter: TypeAdapter[Any]
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether a call has to give it."""
        return self.default is inspect.Parameter.empty


_N, _I = b"NI"
"""What `NaN` and `Infinity` begin with."""


class Binding:
    """How a handler's parameters and result travel. Built once, when the operation is declared."""

    def __init__(
        self,
        handler: Callable[..., Any],
        path: str | None,
        *,
        takes_body: bool,
        batch: bool = False,  # the handler takes a list; what travels is one element of it
    ) -> None:
        self._label = getattr(handler, "__qualname__", repr(handler))
        self.needs = needs_of(handler, self._label)  # of the handler itself
        in_path = frozenset(PATH_PARAMETER.findall(path or ""))
        self.dependencies = tuple(self.needs.all_dependencies())
        self.takes_context = any(one.contexts for one in self._all_needs())
        self.has_plain_dependencies = any(one.is_plain for one in self.dependencies)
        if batch:
            self.parameters: tuple[Parameter, ...] = (self._item(in_path),)
        else:
            self.parameters = self._bound(in_path)
        self._call_signature = self._signature_of_calls(handler)
        self._check(in_path, takes_body=takes_body)
        bodies = [parameter for parameter in self.parameters if parameter.source == "body"]
        self.body = bodies[0] if bodies else None
        if self.body is not None:  # without the adapter's look at its options
            self._validate = self.body.adapter.validator.validate_json
        self._others = tuple(p for p in self.parameters if p.source != "body")
        self.takes_params = bool(self._others)
        returned = return_annotation(handler, self._label)
        result = result_element(self._label, returned) if batch else returned
        self.output = self._adapter(result, "its result")
        self._to_json = self.output.serializer.to_json
        self._may_be_null = result is type(None) or result is Any

    # -- declaring -------------------------------------------------------------------------------

    def _all_needs(self) -> list[Needs]:
        return [self.needs, *(dependency.needs for dependency in self.dependencies)]

    def _bound(self, in_path: frozenset[str]) -> tuple[Parameter, ...]:
        """The parameters of the handler and of its dependencies: of one name, they are the same."""
        bound: dict[str, Parameter] = {}
        annotations: dict[str, Any] = {}
        for needs in self._all_needs():
            for name, own in needs.own.items():
                if annotations.setdefault(name, own.annotation) != own.annotation:
                    raise ConfigurationError(
                        f"{self._label}: {name!r} is of different types in the handler and its "
                        "dependencies: annotate it the same, or call it differently"
                    )
                if name not in bound or (own.required and not bound[name].required):
                    bound[name] = self._parameter(name, own, in_path)
        return tuple(bound.values())

    def _parameter(self, name: str, own: Own, in_path: frozenset[str]) -> Parameter:
        source: Source = "query"
        if name in in_path:
            source = "path"
        elif not _is_scalar(own.annotation):
            source = "body"
        adapter = self._adapter(own.annotation, f"the parameter {name!r}")
        return Parameter(name=name, source=source, adapter=adapter, default=own.default)

    def _item(self, in_path: frozenset[str]) -> Parameter:
        """One item of a batch: the body, whatever its type."""
        refuse_path_parameters(self._label, in_path)
        annotated = {name: own.annotation for name, own in self.needs.own.items()}
        name, element = item_parameter(self._label, list(annotated), annotated)
        for dependency in self.dependencies:
            for other in dependency.needs.own:
                raise ConfigurationError(
                    f"{self._label}: the dependency {dependency.label} takes {other!r}, but is "
                    "made once for a whole batch: it may take the Context and other dependencies"
                )
        adapter = self._adapter(element, f"the items of {name!r}")
        return Parameter(name=name, source="body", adapter=adapter)

    def _signature_of_calls(self, handler: Callable[..., Any]) -> inspect.Signature:
        """What `enqueue` takes: what the handler does, without what eitherway provides, and by name
        what its dependencies take."""
        own = [
            p for p in inspect.signature(handler).parameters.values() if p.name in self.needs.own
        ]
        named = [
            inspect.Parameter(
                parameter.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if parameter.required else None,
            )
            for parameter in self.parameters
            if parameter.name not in self.needs.own
        ]
        return inspect.Signature([*own, *named])

    def _adapter(self, annotation: Any, what: str) -> TypeAdapter[Any]:
        try:
            return TypeAdapter(annotation)
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            reason = error.message.split(". ", 1)[0]
            raise ConfigurationError(
                f"{self._label}: Pydantic cannot handle the type of {what} ({reason}): "
                "use a model, a dataclass, a typed dict, or what JSON knows"
            ) from None

    def _check(self, in_path: frozenset[str], *, takes_body: bool) -> None:
        bodies = [p.name for p in self.parameters if p.source == "body"]
        missing = in_path - {p.name for p in self.parameters}
        if missing:
            raise ConfigurationError(
                f"{self._label}: the path names {min(missing)!r}, the handler does not"
            )
        if len(bodies) > 1:
            raise ConfigurationError(
                f"{self._label}: {' and '.join(bodies)} are both structured, but there is "
                "one body: put them into one model"
            )
        if bodies and not takes_body:
            raise ConfigurationError(
                f"{self._label}: {bodies[0]} is structured, but GET and HEAD carry no body: "
                "use POST"
            )

    # -- decoding --------------------------------------------------------------------------------

    def decode(self, payload: bytes, params: Params, *, strict: bool = True) -> dict[str, Any]:
        """The handler's keyword arguments. `MalformedInputError`, `InvalidInputError`.

        Strictly, as the published schema says; else also what Pydantic converts, such as `"1"`.
        """
        arguments: dict[str, Any] = {}
        errors: list[dict[str, str]] = []
        body = self.body
        if body is not None and (payload or body.required):
            if _N in payload or _I in payload:  # to look for a byte takes next to nothing
                refuse_constants(payload)
            try:
                arguments[body.name] = self._validate(payload, strict=strict or None)
            except ValidationError as error:
                arguments[body.name] = read_again(
                    body.adapter, payload, error, errors, strict=strict
                )
        for parameter in self._others:
            if parameter.name in params:
                given = params[parameter.name]
                arguments[parameter.name] = _read(parameter, given, errors, strict=strict)
            elif parameter.required:
                errors.append(entry(("", parameter.name), f"{parameter.source} parameter required"))
        if errors:
            raise InvalidInputError("the input does not fit the operation", errors)
        return arguments

    def decode_message(self, payload: bytes, params: bytes) -> dict[str, Any]:
        """As `decode`, of a stored message, which was refused long ago if it had to be."""
        given = decode_mapping(params) if params else {}
        try:
            return self.decode(payload, given)  # to the same values as at the door
        except InvalidInputError:
            return self.decode(payload, given, strict=False)

    # -- encoding --------------------------------------------------------------------------------

    def encode_arguments(self, *args: Any, **kwargs: Any) -> tuple[bytes, dict[str, Any]]:
        """A call's arguments (without the context) as payload and params. `InvalidInputError`."""
        try:
            bound = self._call_signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidInputError(f"{self._label}: {error}") from None
        payload, params = b"", {}
        errors: list[dict[str, str]] = []
        for parameter in self.parameters:
            if parameter.name not in bound:
                continue
            value = _read(parameter, bound[parameter.name], errors, strict=False)
            if errors:
                found = errors[0]
                body = parameter.name if parameter.source == "body" else ""
                where = (body + found["pointer"]).removeprefix("/")
                raise InvalidInputError(f"{self._label}: {where}: {found['detail']}", errors)
            if parameter.source == "body":
                payload = parameter.adapter.dump_json(value, by_alias=True, round_trip=True)
            else:
                params[parameter.name] = parameter.adapter.dump_python(value, mode="json")
        return payload, params

    def encode_result(self, value: Any) -> bytes:
        """The result as JSON. `TypeError` where it does not fit the handler's return type."""
        if value is None and self._may_be_null:
            return b"null"
        try:
            encoded: bytes = self._to_json(value, by_alias=True, warnings="error")
            return encoded  # noqa: TRY300 - what follows is for what does not fit
        except PydanticSerializationError:
            pass  # not of the annotated type; it may still convert, like a dict for a model
        try:
            return self.output.dump_json(self.output.validate_python(value), by_alias=True)
        except (ValidationError, PydanticSerializationError, ValueError) as error:
            raise TypeError(f"{self._label}: the result does not fit its type: {error}") from None

    def decode_result(self, body: bytes) -> Any:
        """The result that `encode_result` made."""
        return self.output.validate_json(body)


def encode_mapping(mapping: Mapping[str, Any]) -> bytes:
    """A JSON object, or nothing for an empty mapping."""
    return to_json(mapping) if mapping else b""


def decode_mapping(data: bytes) -> dict[str, Any]:
    """What `encode_mapping` made."""
    decoded: dict[str, Any] = from_json(data) if data else {}
    return decoded


def _is_scalar(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _is_scalar(typing.get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return all(_is_scalar(member) for member in typing.get_args(annotation))
    if origin is Literal or annotation is type(None):
        return True
    return isinstance(annotation, type) and issubclass(annotation, _SCALARS)


def _read(parameter: Parameter, value: Any, errors: list[dict[str, str]], *, strict: bool) -> Any:
    try:
        if parameter.source == "body":
            return parameter.adapter.validate_python(value)
        return read_parameter(parameter.adapter, value, strict=strict)
    except ValidationError as error:
        prefix = () if parameter.source == "body" else (parameter.name,)
        errors.extend(entry(("", *prefix, *item["loc"]), item["msg"]) for item in error.errors())
        return None
