"""Frozen dataclasses to plain JSON and back, strictly: what a class does not know, it refuses."""

from __future__ import annotations

import types
from collections.abc import Mapping
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
    if isinstance(value, Fact):
        return value.to_json()
    if isinstance(value, Level):
        return value.word
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[T], raw: Mapping[str, Any]) -> T:
    """An instance of a dataclass from its plain form. ValueError for unknown or mistyped fields, TypeError for
    missing ones."""
    whichever: Any = kind  # mypy does not take a type variable for something hashable
    hints = _hints(whichever)
    if unknown := sorted(set(raw) - set(hints)):
        raise ValueError(f"{kind.__name__} has no field {', '.join(unknown)}")
    return kind(**{name: _read(hints[name], value, f"{kind.__name__}.{name}") for name, value in raw.items()})


@lru_cache(maxsize=64)
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _read(hint: Any, value: Any, where: str) -> Any:
    reader: Any = from_plain
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        some = next(arg for arg in get_args(hint) if arg is not type(None))
        return None if value is None else _read(some, value, where)
    if origin is tuple:
        return tuple(_read(get_args(hint)[0], item, where) for item in _typed(list, value, where))
    if hint is Fact:
        return Fact.from_json(_typed(Mapping, value, where))
    if hint is Level:
        return Level.of(_typed(str, value, where))
    if hint is datetime:
        return datetime.fromisoformat(_typed(str, value, where))
    if issubclass(hint, Enum):
        return hint(value)
    if is_dataclass(hint):
        return reader(hint, _typed(Mapping, value, where))
    return _typed(hint, value, where)


def _typed(kind: type[Any], value: Any, where: str) -> Any:
    # bool is an int to Python, and is not one here.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where} is not {kind.__name__}: {value!r:.60}")
    return value
