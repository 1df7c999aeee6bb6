"""Frozen dataclasses to plain JSON and back, strictly: what a class does not know, it refuses."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from guards.facts import Fact
from guards.triggers import Level

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Plain JSON: dataclasses become objects, tuples lists, enums their values, levels their words."""
    kind: Any = type(value)
    return _writer(kind)(value)


def from_plain(kind: type[T], raw: Mapping[str, Any]) -> T:
    """An instance of a dataclass from its plain form. ValueError for unknown or mistyped fields, TypeError for
    missing ones."""
    whichever: Any = kind  # mypy does not take a type variable for something hashable
    readers = _readers(whichever)
    if unknown := sorted(set(raw) - set(readers)):
        raise ValueError(f"{kind.__name__} has no field {', '.join(unknown)}")
    return kind(**{name: readers[name](value) for name, value in raw.items()})


# How a class is written and read is worked out once: a packet holds some hundred values, and is read in every run.


@lru_cache(maxsize=256)
def _writer(kind: Any) -> Callable[[Any], Any]:
    if issubclass(kind, Fact):
        return Fact.to_json
    if issubclass(kind, Level):
        return lambda level: level.word
    if issubclass(kind, Enum):
        return lambda member: member.value
    if issubclass(kind, datetime):
        return datetime.isoformat
    if is_dataclass(kind):
        names = tuple(f.name for f in fields(kind))
        return lambda one: {name: to_plain(getattr(one, name)) for name in names}
    if issubclass(kind, tuple):
        return lambda items: [to_plain(item) for item in items]
    return lambda value: value


@lru_cache(maxsize=64)
def _readers(kind: Any) -> Mapping[str, Callable[[Any], Any]]:
    return {name: _reader(hint, f"{kind.__name__}.{name}") for name, hint in get_type_hints(kind).items()}


def _reader(hint: Any, where: str) -> Callable[[Any], Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        some = _reader(next(arg for arg in get_args(hint) if arg is not type(None)), where)
        return lambda value: None if value is None else some(value)
    if origin is tuple:
        each = _reader(get_args(hint)[0], where)
        return lambda value: tuple(each(item) for item in _typed(list, value, where))
    if hint is Fact:
        return lambda value: Fact.from_json(_typed(Mapping, value, where))
    if hint is Level:
        return lambda value: Level.of(_typed(str, value, where))
    if hint is datetime:
        return lambda value: datetime.fromisoformat(_typed(str, value, where))
    if issubclass(hint, Enum):
        return lambda value: hint(value)
    if is_dataclass(hint):
        return lambda value: from_plain(hint, _typed(Mapping, value, where))  # type: ignore[arg-type]
    return lambda value: _typed(hint, value, where)


def _typed(kind: type[Any], value: Any, where: str) -> Any:
    # bool is an int to Python, and is not one here.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is not {kind.__name__}: {value!r:.60}")
    return value
