"""What a function takes beside its input: the context, and dependencies, declared as FastAPI's are.

A marker is any object with an attribute `dependency`, in `Annotated` or as a default: FastAPI's
`Depends` is one, and nothing of FastAPI is imported for it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
)
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar, overload

from .context import Context
from .errors import ConfigurationError
from .foreign import refuse_foreign, refuse_marker

T = TypeVar("T")
Kind = Literal["plain", "coroutine", "generator", "async generator"]


@dataclass(frozen=True, eq=False)
class _Marker:
    """What `Depends` makes."""

    dependency: Callable[..., Any] | None = None
    use_cache: bool = True


@overload
def Depends(dependency: Callable[..., AsyncGenerator[T, Any]], *, use_cache: bool = True) -> T: ...
@overload
def Depends(dependency: Callable[..., AsyncIterator[T]], *, use_cache: bool = True) -> T: ...
@overload
def Depends(dependency: Callable[..., Generator[T, Any, Any]], *, use_cache: bool = True) -> T: ...
@overload
def Depends(dependency: Callable[..., Iterator[T]], *, use_cache: bool = True) -> T: ...
@overload
def Depends(dependency: Callable[..., Awaitable[T]], *, use_cache: bool = True) -> T: ...
@overload
def Depends(dependency: Callable[..., T], *, use_cache: bool = True) -> T: ...
@overload
def Depends(dependency: None = None, *, use_cache: bool = True) -> Any: ...


def Depends(  # noqa: N802 - as FastAPI spells it
    dependency: Callable[..., Any] | None = None, *, use_cache: bool = True
) -> Any:
    """Have a handler's parameter made by `dependency`, for each attempt; closed when that ends.

    As `Annotated[Session, Depends(get_session)]`, or as the parameter's default. Without an
    argument, the annotated class is called. `use_cache=False` makes another value at each place.
    """
    return _Marker(dependency, use_cache)


@dataclass(frozen=True)
class Own:
    """A parameter that is bound from the call: path, query, or body."""

    annotation: Any
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether a call has to give it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, eq=False)
class Needs:
    """What a function takes, by the names of its parameters."""

    own: Mapping[str, Own]
    contexts: tuple[str, ...]
    dependencies: Mapping[str, Dependency]

    def all_dependencies(self) -> Iterator[Dependency]:
        """Those of the dependencies, too; one as often as it is declared."""
        for dependency in self.dependencies.values():
            yield from dependency.needs.all_dependencies()
            yield dependency


@dataclass(frozen=True, eq=False)
class Dependency:
    """A function whose value, or what it yields, is another one's argument."""

    call: Callable[..., Any]
    label: str
    kind: Kind
    needs: Needs
    use_cache: bool = True

    @classmethod
    def of(cls, call: Callable[..., Any], path: str, *, use_cache: bool = True) -> Dependency:
        """Read its signature; `path` says whose it is. `ConfigurationError`."""
        label = _name(call)
        if not callable(call):
            raise ConfigurationError(f"{path}: the dependency {label} cannot be called")
        needs = needs_of(call, f"{path}: the dependency {label}", path)
        return cls(call, label, _kind(call), needs, use_cache)

    @property
    def is_plain(self) -> bool:
        """Whether it runs in threads."""
        return self.kind in ("plain", "generator")

    @property
    def key(self) -> Any:
        """The same for the same function, wherever it is declared."""
        try:
            hash(self.call)
        except TypeError:
            return id(self.call)
        return self.call


def needs_of(function: Callable[..., Any], label: str, path: str | None = None) -> Needs:
    """Read a function's parameters; `label` is what errors call it. `ConfigurationError`."""
    hints = _hints(function, label)
    own: dict[str, Own] = {}
    contexts: list[str] = []
    dependencies: dict[str, Dependency] = {}
    for parameter in _signature(function, label).parameters.values():
        annotation = _annotation(parameter, hints, label)
        marker = _marker(annotation) or _marker_in(parameter.default)
        if annotation is Context:
            contexts.append(parameter.name)
        elif marker is not None:
            refuse_marker(label, parameter.name, marker)
            dependencies[parameter.name] = Dependency.of(
                marker.dependency or _plain_type(annotation),
                path or label,
                use_cache=getattr(marker, "use_cache", True),
            )
        else:
            refuse_foreign(label, parameter.name, annotation, parameter.default)
            own[parameter.name] = Own(annotation, parameter.default)
    return Needs(own, tuple(contexts), dependencies)


def return_annotation(function: Callable[..., Any], label: str) -> Any:
    """What a function says that it returns; `Any` where it says nothing."""
    return _hints(function, label).get("return", Any)


def _signature(function: Callable[..., Any], label: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # something built in
        raise ConfigurationError(f"{label} tells nothing of its parameters: wrap it") from None


def _hints(function: Callable[..., Any], label: str) -> dict[str, Any]:
    while isinstance(function, partial):
        function = function.func
    target: Any = function
    if inspect.isclass(function):
        target = function.__init__
    elif not inspect.isroutine(function):
        target = type(function).__call__
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"{label}: the annotation {error.name!r} is not defined where it is "
            "declared: import it, or define it above at module level"
        ) from None
    except TypeError:
        return {}


def _annotation(parameter: inspect.Parameter, hints: Mapping[str, Any], label: str) -> Any:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ConfigurationError(f"{label}: a handler cannot take *{parameter.name}")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigurationError(f"{label}: {parameter.name} cannot be positional-only")
    found = hints.get(parameter.name, parameter.annotation)
    if found is parameter.empty:
        raise ConfigurationError(f"{label}: annotate the parameter {parameter.name!r}")
    return found


def _marker(annotation: Any) -> Any:
    """The last marker in an annotation's metadata."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return None
    found = [one for one in annotation.__metadata__ if _marker_in(one) is not None]
    return found[-1] if found else None


def _marker_in(value: Any) -> Any:
    if value is inspect.Parameter.empty or inspect.isclass(value):
        return None
    return value if hasattr(value, "dependency") else None


def _plain_type(annotation: Any) -> Any:
    """The annotated type, without its metadata."""
    is_annotated = typing.get_origin(annotation) is typing.Annotated
    return typing.get_args(annotation)[0] if is_annotated else annotation


def _kind(call: Callable[..., Any]) -> Kind:
    candidates = [call] if inspect.isroutine(call) else [call, getattr(call, "__call__", call)]  # noqa: B004
    for one in candidates if not inspect.isclass(call) else ():
        if inspect.isasyncgenfunction(one):
            return "async generator"
        if inspect.isgeneratorfunction(one):
            return "generator"
        if inspect.iscoroutinefunction(one):
            return "coroutine"
    return "plain"


def _name(call: Any) -> str:
    while isinstance(call, partial):
        call = call.func
    return getattr(call, "__qualname__", None) or type(call).__qualname__
