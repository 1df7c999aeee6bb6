"""The one executor: reads the ledger's lane afresh at every call, and refuses all that is not exactly allowed."""

from __future__ import annotations

import inspect
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from guards.capabilities import TABLE, Effect, Right
from guards.gate import Grant, Permit, Refusal, may
from guards.wording import plain
from tools.errors import BadTool, NameTaken, ToolFailed, UndeclaredEffect

Run: TypeAlias = Callable[..., object]
"""What a tool does, called with its declared arguments by name. A Refusal it returns is passed on and recorded."""

LONGEST_ARGUMENT = 200_000
"""Characters of one text: what a model's answer may hold at most."""
MOST_ITEMS = 1_000
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
# A lone surrogate has no bytes and NUL is cut off by others: what was judged would not be what is kept.

PLAIN_TYPES = (str, int, float, bool, tuple)
"""The types an argument may have; a tuple holds strings."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that can be done, beside the effect it declares and the right it needs."""

    name: str
    effect: Effect
    right: Right
    parameters: Mapping[str, type]
    """Exact argument names and their exact types; all of them are needed, and no other is taken."""
    run: Run = field(repr=False)

    def __post_init__(self) -> None:
        """Loads only what is declared whole: UndeclaredEffect, or BadTool for a name or type that is not plain."""
        declared: tuple[object, object] = (self.effect, self.right)
        if type(declared[0]) is not Effect or type(declared[1]) is not Right:
            raise UndeclaredEffect(f"tool {self.name!r} declares no effect and right; name one of each")
        if self.effect is not TABLE[self.right].effect:
            raise UndeclaredEffect(
                f"tool {self.name!r} declares {self.effect.value}, but {self.right.value} is a right to "
                f"{TABLE[self.right].effect.value}; choose the right that fits the effect"
            )
        for name in (self.name, *self.parameters):
            if not (name.isascii() and name.isidentifier() and name == name.lower()):
                raise BadTool(f"tool {self.name!r}: {name!r} is not a plain lower-case name")
        for name, kind in self.parameters.items():
            if kind not in PLAIN_TYPES:
                raise BadTool(f"tool {self.name!r}: {name} has the type {kind!r}; use str, int, float, bool or tuple")
        if inspect.iscoroutinefunction(self.run):
            raise BadTool(f"tool {self.name!r}: it would run later than its right was read; make run a plain function")
        # What was declared at loading is what is checked at each call, whoever still holds the dict.
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))


@dataclass(frozen=True, slots=True)
class Done:
    """The tool ran."""

    value: object
    permit: Permit
    """The right it ran by."""


class Toolbox:
    """The tools of one opening, from the epoch in which it was made. It holds no lane: it asks for the grant."""

    __slots__ = ("_epoch", "_known", "_read_grant", "_record_refusal", "_tools")

    def __init__(
        self,
        tools: Iterable[Tool],
        read_grant: Callable[[], Grant],
        record_refusal: Callable[[Refusal], object],
        *,
        epoch: int | None = None,
        known: Mapping[str, Right] | None = None,
    ) -> None:
        """``read_grant`` derives the grant from the ledger's lane and epoch as they are at that moment.

        ``epoch`` is the one the work was granted in; without it, the ledger's own at this moment. ``known`` names
        tools that are not in this box with the right they need, so that their refusal says what was withheld.
        NameTaken where two tools have one name.
        """
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise NameTaken(f"two tools are called {tool.name!r}; rename one")
            self._tools[tool.name] = tool
        self._read_grant = read_grant
        self._record_refusal = record_refusal
        self._known = dict(known or {})
        self._epoch = read_grant().epoch if epoch is None else epoch

    @property
    def names(self) -> tuple[str, ...]:
        """The tools in this box."""
        return tuple(self._tools)

    async def call(self, name: object, arguments: object) -> Done | Refusal:
        """Runs a tool, or refuses; a refusal is recorded. Every argument may come from a model: nothing is trusted.

        Between the reading of the grant and the tool's run nothing is awaited. ToolFailed where the tool breaks.
        """
        try:
            grant = self._read_grant()
        except Exception as error:
            reason = f"the ledger could not be read ({type(error).__name__})"
            return self._refuse(Refusal(f"use {_shown(name)}", "ledger", reason))
        allowed = self._allowed(name, arguments, grant)
        if isinstance(allowed, Refusal):
            return self._refuse(allowed)
        tool, given, permit = allowed
        try:
            value = tool.run(**given)
        except Exception as error:
            raise ToolFailed(f"{tool.name} failed with {type(error).__name__}: {error}") from error
        return self._refuse(value) if isinstance(value, Refusal) else Done(value, permit)

    def _allowed(
        self, name: object, arguments: object, grant: Grant
    ) -> tuple[Tool, Mapping[str, object], Permit] | Refusal:
        tool = self._tools.get(name) if type(name) is str else None
        if tool is None:
            return self._unknown(name, grant)
        does = TABLE[tool.right].does
        if grant.epoch != self._epoch:
            return Refusal(does, "epoch", "the lane has risen since: rights of an older epoch are dead")
        verdict = may(grant, tool.right, tool.effect)
        if isinstance(verdict, Refusal):
            return verdict
        if (wrong := wrong_arguments(tool, arguments)) is not None:
            rule, reason = wrong
            return Refusal(does, rule, reason)
        assert isinstance(arguments, dict)
        return tool, arguments, verdict

    def _unknown(self, name: object, grant: Grant) -> Refusal:
        right = self._known.get(name) if type(name) is str else None
        if right is not None:
            row = TABLE[right]
            return Refusal(row.does, "lane", f"lane {int(grant.lane)} was not given {_shown(name)}: {row.reason}")
        meant = _alike(name, (*self._tools, *self._known))
        if meant:
            return Refusal(f"use {_shown(name)}", "aliased_tool", f"names are exact; it is not {meant}")
        return Refusal(f"use {_shown(name)}", "unknown_tool", "no tool has that name")

    def _refuse(self, refusal: Refusal) -> Refusal:
        try:
            self._record_refusal(refusal)
        except Exception as error:
            # A refusal holds whether or not it can be written down; who reads it learns that it was not.
            note = f"{refusal.reason} (not recorded: {type(error).__name__})"
            return Refusal(refusal.what, refusal.rule, note)
        return refusal


def wrong_arguments(tool: Tool, arguments: object) -> tuple[str, str] | None:
    """(rule, reason) where the arguments are not exactly the declared ones; None where they are."""
    if type(arguments) is not dict:
        return "arguments", f"the arguments are a {type(arguments).__name__}, not a dict"
    for name in arguments:
        if type(name) is not str:
            return "extra", f"an argument's name is a {type(name).__name__}, not a str"
        if name not in tool.parameters:
            if meant := _alike(name, tool.parameters):
                return "aliased", f"names are exact; {_shown(name)} is not {meant}"
            return "extra", f"{tool.name} takes no {_shown(name)}"
    for name, kind in tool.parameters.items():
        if name not in arguments:
            return "missing", f"{tool.name} needs {name}"
        value: object = arguments[name]
        if type(value) is not kind:
            return "type", f"{name} is a {type(value).__name__}, not a {kind.__name__}"
        if isinstance(value, tuple) and not all(type(item) is str for item in value):
            return "type", f"{name} holds something else than str"
        if (wrong := _wrong_value(value)) is not None:
            return "value", f"{name} {wrong}"
    return None


def _wrong_value(value: object) -> str | None:
    """What is wrong with a value of the right type; None where it can be kept and told as it is."""
    match value:
        case bool():
            return None
        case float():
            return None if math.isfinite(value) else "is no finite number"
        case int():
            return None if abs(value) < 2**63 else "is larger than any number that is kept"
        case str():
            if len(value) > LONGEST_ARGUMENT:
                return f"is longer than {LONGEST_ARGUMENT:,} characters"
            return "holds a character that no text can hold" if _NO_TEXT.search(value) else None
        case tuple():
            if len(value) > MOST_ITEMS:
                return f"holds more than {MOST_ITEMS:,} items"
            return next((wrong for item in value if (wrong := _wrong_value(item))), None)
        case _:
            return "is of no plain type"


def _alike(name: object, exact: Iterable[str]) -> str:
    """The exact name that a different spelling was meant for; empty where there is none."""
    if not isinstance(name, str):
        return ""
    bare = _bare(name)
    return next((known for known in exact if _bare(known) == bare), "")


def _bare(name: str) -> str:
    folded = unicodedata.normalize("NFKD", plain(name[:200]))
    return "".join(c for c in folded if c.isalnum())


def _shown(name: object) -> str:
    return repr(name)[:80] if isinstance(name, str) else f"a {type(name).__name__}"
