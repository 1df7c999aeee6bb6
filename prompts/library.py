"""The prompt files: loaded, fingerprinted, filled without ever expanding what a customer wrote, their answers checked.

A file ``name.md`` is turns behind ``<!-- system -->``, ``<!-- user -->`` and ``<!-- assistant -->`` lines. Only the
last turn may hold ``{{placeholders}}``: all before it is the same for every ticket, so that a provider can cache it.
A file ``name.schema.json`` beside it is the shape that the answer must have; a prompt without one asks for free text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal, cast

Role = Literal["system", "user", "assistant"]
Json = dict[str, object]


class PromptError(Exception):
    """A prompt file or its schema cannot be used: which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt file, read and checked."""

    name: str
    static: tuple[Turn, ...]
    """The same for every ticket: instructions and examples. It comes first."""
    template: str
    """The last user turn, with its placeholders."""
    placeholders: frozenset[str]
    schema: Json | None = field(hash=False)
    """The JSON schema of the answer; None where the answer is free text."""
    fingerprint: str
    """The first twelve hex digits of the SHA-256 of prompt and schema text: which words were said."""

    def fill(self, **values: str) -> str:
        """The last turn with its placeholders filled, each exactly once and literally.

        A ``{{name}}`` inside a value stays as it is; a value can close none of the template's own tags and open no
        control token of a model. PromptError where a value is missing or has no place.
        """
        if values.keys() != self.placeholders:
            raise PromptError(
                f"prompt {self.name} takes {_listed(self.placeholders)}, was given {_listed(values)}: give exactly those"
            )
        tags = frozenset(_TAG.findall(self.template))
        return _PLACEHOLDER.sub(lambda hole: _disarmed(values[hole.group(1)], tags), self.template)


_MARK = re.compile(r"^<!-- (system|user|assistant) -->[ \t]*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{\{([a-z_]+)\}\}")
_TAG = re.compile(r"</?([a-z_]+)>")
_ANY_TAG = re.compile(r"<(\s*/?\s*)([A-Za-z_]+)(\s*)>")
_NAME = re.compile(r"[a-z][a-z_]*")


def load(name: str, folder: Traversable | None = None) -> Prompt:
    """The prompt of that name from the package, or from another folder. PromptError where it is unusable."""
    return _packaged(name) if folder is None else _read(name, folder)


def fingerprint(name: str) -> str:
    """Twelve hex digits that change with every letter of the packaged prompt or its schema."""
    return load(name).fingerprint


@cache
def _packaged(name: str) -> Prompt:
    return _read(name, files("prompts"))


def _read(name: str, folder: Traversable) -> Prompt:
    if not _NAME.fullmatch(name):
        raise PromptError(f"{name!r} is no prompt's name: small letters and underscores only")
    text = _text(folder / f"{name}.md", name)
    schema_file = folder / f"{name}.schema.json"
    schema_text = _text(schema_file, name) if schema_file.is_file() else ""
    *static, last = _turns(name, text)
    if last.role != "user":
        raise PromptError(f"prompt {name} ends with a {last.role} turn: the last turn is the user's, with the ticket")
    for turn in static:
        if found := _PLACEHOLDER.search(turn.text):
            raise PromptError(f"prompt {name} has {found.group()} before its last turn: what changes comes last")
    return Prompt(
        name=name,
        static=tuple(static),
        template=last.text,
        placeholders=frozenset(_PLACEHOLDER.findall(last.text)),
        schema=_schema(name, schema_text) if schema_text else None,
        fingerprint=hashlib.sha256(f"{text}\0{schema_text}".encode()).hexdigest()[:12],
    )


def _text(file: Traversable, name: str) -> str:
    try:
        return file.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        raise PromptError(f"prompt {name} has no file {file.name}: is it installed as package data?") from None
    except UnicodeDecodeError as wrong:
        raise PromptError(f"{file.name} is not UTF-8 at byte {wrong.start}: save it as UTF-8") from None


def _turns(name: str, text: str) -> tuple[Turn, ...]:
    before, *parts = _MARK.split(text)
    if before.strip() or not parts:
        raise PromptError(f"prompt {name} must begin with a line <!-- system --> or <!-- user -->")
    turns = tuple(Turn(cast(Role, role), body.strip("\n")) for role, body in zip(parts[::2], parts[1::2], strict=True))
    if empty := [turn.role for turn in turns if not turn.text.strip()]:
        raise PromptError(f"prompt {name} has an empty {empty[0]} turn: write it or take its line out")
    return turns


def _disarmed(value: str, tags: frozenset[str]) -> str:
    """A value that cannot pass for the template: its tags and the control tokens of chat templates are bent."""

    def bent(tag: re.Match[str]) -> str:
        return f"‹{tag.group(1)}{tag.group(2)}{tag.group(3)}›" if tag.group(2).lower() in tags else tag.group()

    # Local servers read <|im_end|> in a message as the end of the turn: customer text would speak as the system.
    return _ANY_TAG.sub(bent, value.replace("<|", "‹|").replace("|>", "|›"))


def _listed(names: Mapping[str, object] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


# ── the answer's shape ──────────────────────────────────────────────────────────────────────────────────────

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KEYWORD_LIST = (
    "type properties required additionalProperties items enum const pattern minLength maxLength minItems maxItems "
    "minimum maximum title description"
)
_KEYWORDS = frozenset(_KEYWORD_LIST.split())


def _schema(name: str, text: str) -> Json:
    try:
        schema = json.loads(text)
    except ValueError as wrong:
        raise PromptError(f"{name}.schema.json is not JSON: {wrong}") from None
    _usable(schema, name)
    if cast(Json, schema).get("type") != "object":
        raise PromptError(f"{name}.schema.json: an answer is an object")
    return cast(Json, schema)


def _usable(schema: object, where: str) -> None:
    """Raises on whatever ``faults`` would not check: a rule that is silently ignored is no rule."""
    if not isinstance(schema, dict):
        raise PromptError(f"schema {where}: not an object")
    if unknown := schema.keys() - _KEYWORDS:
        raise PromptError(f"schema {where}: {_listed(frozenset(unknown))} is not checked here; leave it out")
    if not {"type", "enum", "const"} & schema.keys():
        raise PromptError(f"schema {where}: says neither type nor enum nor const")
    if wrong := set(_kinds(schema)) - _TYPES.keys():
        raise PromptError(f"schema {where}: unknown type {sorted(map(str, wrong))[0]}")
    if "object" in _kinds(schema):
        inside = schema.get("properties")
        if not isinstance(inside, dict) or schema.get("additionalProperties") is not False:
            raise PromptError(f"schema {where}: an object needs properties and additionalProperties false")
        if set(schema.get("required", ())) != set(inside):
            raise PromptError(f"schema {where}: strict answers require every property")
        for key, inner in inside.items():
            _usable(inner, f"{where}.{key}")
    if "array" in _kinds(schema):
        _usable(schema.get("items"), f"{where}[]")


def _kinds(schema: Mapping[str, object]) -> tuple[str, ...]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(cast("list[str]", kind))


def faults(schema: Mapping[str, object], value: object, where: str = "answer") -> tuple[str, ...]:
    """Where an answer is not what its schema says; empty when it is.

    Each fault names the place and what was expected, never what stood there: that may be anything at all. The
    schema must have been read by ``load``, which refuses keywords that are not checked here.
    """
    kinds = _kinds(schema)
    if kinds and not any(_is(kind, value) for kind in kinds):
        return (f"{where} is not {' or '.join(kinds)}",)
    if "enum" in schema and not any(_same(value, one) for one in cast("list[object]", schema["enum"])):
        return (f"{where} is none of its allowed values",)
    if "const" in schema and not _same(value, schema["const"]):
        return (f"{where} is not its one allowed value",)
    if isinstance(value, dict):
        return _object_faults(schema, value, where)
    if isinstance(value, list):
        return _array_faults(schema, value, where)
    return _scalar_faults(schema, value, where)


def _is(kind: str, value: object) -> bool:
    # True is an int in Python and no number in JSON.
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _same(value: object, one: object) -> bool:
    return type(value) is type(one) and value == one


def _object_faults(schema: Mapping[str, object], value: dict[str, object], where: str) -> tuple[str, ...]:
    inside = cast("dict[str, Json]", schema.get("properties", {}))
    found = [f"{where} lacks {key}" for key in inside if key not in value]
    if extra := len(value.keys() - inside.keys()):
        found.append(f"{where} has {extra} unknown key(s)")
    for key, inner in inside.items():
        if key in value:
            found += faults(inner, value[key], f"{where}.{key}")
    return tuple(found)


def _array_faults(schema: Mapping[str, object], value: list[object], where: str) -> tuple[str, ...]:
    found = []
    if len(value) < cast(int, schema.get("minItems", 0)):
        found.append(f"{where} has too few items")
    if len(value) > cast(float, schema.get("maxItems", float("inf"))):
        return (*found, f"{where} has too many items")
    items = cast(Json, schema.get("items", {}))
    for number, one in enumerate(value):
        found += faults(items, one, f"{where}[{number}]")
    return tuple(found)


def _scalar_faults(schema: Mapping[str, object], value: object, where: str) -> tuple[str, ...]:
    found = []
    if isinstance(value, str):
        if (
            not cast(int, schema.get("minLength", 0))
            <= len(value)
            <= cast(float, schema.get("maxLength", float("inf")))
        ):
            found.append(f"{where} is too short or too long")
        # Python's $ also stands before a last line end, which the schema's authors do not mean.
        if "pattern" in schema and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", str(schema["pattern"])), value):
            found.append(f"{where} does not have its pattern")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, high = cast(float, schema.get("minimum", float("-inf"))), cast(float, schema.get("maximum", float("inf")))
        if not low <= value <= high:
            found.append(f"{where} is out of range")
    return tuple(found)
