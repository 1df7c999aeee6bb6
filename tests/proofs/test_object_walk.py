"""From no step of the compiled machine can a channel, its credential or a person's hand be reached, however it is held."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, ClassVar

import pytest
from agent_scene import its_systems

from agent.checkpoints import open_checkpoints
from agent.graph import Machine, build_graph
from agent.release_in_force import release_view
from agent.steps import Steps
from agent.wiring import build_steps
from desk.channels.console import ConsoleChannel
from desk.channels.credential import ChannelCredential
from desk.channels.eml import EmlChannel
from desk.channels.smtp import SmtpChannel
from desk.mailbox.password import MailboxPassword
from desk.post import PostRoom
from guards.policy import Release
from ledger.history import History
from ledger.intake import Intake
from ledger.outbox import PostLedger
from ledger.people import PeopleLedger
from ledger.store import Store

ROOMS = ("guards", "prompts", "ledger", "tools", "agent", "desk", "evals", "lanewise")
SECRET = "walk-4912841-seal"
FORBIDDEN = (
    *(ChannelCredential, EmlChannel, ConsoleChannel, SmtpChannel, PostRoom, PostLedger, PeopleLedger, Intake),
    MailboxPassword,
)
"""What reaches a customer, lets a letter go, lowers a lane, files a message in a customer's name, or opens the mailbox."""
OPAQUE = (types.FrameType, types.TracebackType, types.BuiltinFunctionType, str, bytes, int, float, bool, type(None))


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk met."""

    leak: str
    """The way to something forbidden; empty where there is none."""
    visited: frozenset[int]


def walk(root: object, own: tuple[str, ...] = ROOMS) -> Walked:
    """Follows everything that an object holds, and everything that the code of our own modules names."""
    seen: dict[int, object] = {id(root): root}
    ahead: deque[tuple[object, str]] = deque([(root, type(root).__name__)])
    while ahead:
        held, way = ahead.popleft()
        if isinstance(held, FORBIDDEN) or (isinstance(held, str | bytes) and _is_secret(held)):
            return Walked(way, frozenset(seen))
        for name, child in children(held, own):
            if id(child) not in seen:
                seen[id(child)] = child  # kept alive, so that no other object gets its number
                ahead.append((child, f"{way}.{name}"))
    return Walked("", frozenset(seen))


def _is_secret(text: str | bytes) -> bool:
    return (text if isinstance(text, bytes) else text.encode("utf-8", "replace")) == SECRET.encode()


def children(held: object, own: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """What one object leads to, each with a name for the way."""
    if isinstance(held, OPAQUE):
        return
    if isinstance(held, types.FunctionType):
        yield from _of_function(held, own)
    elif isinstance(held, types.ModuleType):
        return  # code leads into a module by the names it uses; see _of_function
    elif isinstance(held, type):
        if _is_ours(held, own):
            yield from ((name, value) for name, value in vars(held).items())
            yield from (("base", base) for base in held.__bases__)
    elif isinstance(held, dict):
        for key, value in held.items():
            yield repr(key)[:40], value
            yield "key", key
    elif isinstance(held, ContextVar):
        yield "value", held.get(None)
    elif isinstance(held, weakref.ReferenceType):
        yield "referent", held()
    else:
        names = _attribute_names(held)
        for child in gc.get_referents(held):
            yield names.get(id(child), "…"), child


def _of_function(held: types.FunctionType, own: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for name, cell in zip(held.__code__.co_freevars, held.__closure__ or (), strict=True):
        if cell != types.CellType():
            yield f"closure:{name}", cell.cell_contents
    yield "defaults", held.__defaults__
    yield "defaults", held.__kwdefaults__
    yield "attributes", held.__dict__
    if not _is_ours(held, own):
        return
    names = frozenset(_names(held.__code__))
    for name in names & held.__globals__.keys():
        value = held.__globals__[name]
        yield f"global:{name}", value
        if isinstance(value, types.ModuleType):
            yield from _of_module(value, names, own)


def _of_module(
    module: types.ModuleType, names: frozenset[str], own: tuple[str, ...], depth: int = 3
) -> Iterator[tuple[str, object]]:
    if module.__name__.partition(".")[0] not in own:
        return
    for name in names & vars(module).keys():
        value = vars(module)[name]
        yield f"{module.__name__}.{name}", value
        if isinstance(value, types.ModuleType) and depth:
            yield from _of_module(value, names, own, depth - 1)


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from _names(const)


def _is_ours(held: Any, own: tuple[str, ...]) -> bool:
    return str(getattr(held, "__module__", "") or "").partition(".")[0] in own


def _attribute_names(held: object) -> dict[int, str]:
    try:
        slots = [n for c in type(held).__mro__ for n in getattr(c, "__slots__", ()) if isinstance(n, str)]
        return {id(getattr(held, n)): n for n in slots if hasattr(held, n)}
    except Exception:  # some foreign objects raise on being looked at; the way then has no name
        return {}


# ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def steps(store: Store, release: Release) -> Steps:
    """The steps as the wiring makes them."""
    return build_steps(store, its_systems(), release)


@pytest.fixture
def post_room(store: Store, release: Release, tmp_path: Path) -> PostRoom:
    """A post room with a credential, alive in the same process over the same store, as where everything is served."""
    channel = EmlChannel(tmp_path / "out", "support@quillstone.example", credential=ChannelCredential(SECRET))
    return PostRoom(PostLedger(store), History(store), channel, lambda: release_view(release))


@asynccontextmanager
async def compiled(steps: Steps, folder: Path) -> AsyncIterator[Machine]:
    """The compiled machine with its saver."""
    with open_checkpoints(folder / "runs.sqlite3") as saver:
        yield build_graph(steps, saver)


async def test_no_step_reaches_a_channel_its_credential_or_a_persons_hand(
    steps: Steps, post_room: PostRoom, tmp_path: Path, shown: Any
) -> None:
    assert walk(post_room).leak, "the post room itself does hold them"
    async with compiled(steps, tmp_path) as machine:
        found = walk(machine)
        assert found.leak == ""
        missed = [f.name for f in fields(Steps) if id(getattr(steps, f.name)) not in found.visited]
        assert missed == [], "a walk that does not reach the steps shows nothing"
        for field in fields(Steps):
            alone = walk(getattr(steps, field.name))
            assert alone.leak == ""
            assert len(alone.visited) > 50
    assert len(found.visited) > 10_000
    figure = f"0 found from the machine and from each of its {len(fields(Steps))} steps, all of them visited"
    shown("I13", "walk over the compiled machine's objects", figure, f"{len(PLANTS)} kinds of planted leak, each found")


# ── planted leaks ───────────────────────────────────────────────────────────────────────────────────────────

HELD: list[Any] = []
"""Where a plant puts what a global of this module is to hold."""
CONTEXT: ContextVar[Any] = ContextVar("CONTEXT")


class Plain:
    """A step that does nothing; a plant hangs something on it."""

    async def __call__(self, state: Any) -> dict[str, Any]:
        """Nothing."""
        return {}


class Slotted:
    """The same with slots."""

    __slots__ = ("_out",)

    def __init__(self, out: object) -> None:
        self._out = out

    async def __call__(self, state: Any) -> dict[str, Any]:
        """Nothing."""
        return {}


def with_attribute(channel: Any) -> Any:
    step = Plain()
    step.out = channel  # type: ignore[attr-defined]
    return step


def with_nested(channel: Any) -> Any:
    step = Plain()
    step.tools = {"send": [("mail", {"by": (channel,)})]}  # type: ignore[attr-defined]
    return step


def with_closure(channel: Any) -> Any:
    async def step(state: Any) -> dict[str, Any]:
        return {"out": channel.name}

    return step


def with_nested_closure(channel: Any) -> Any:
    def outer() -> Callable[[], object]:
        def inner() -> object:
            return channel.name

        return inner

    step = Plain()
    step.late = outer()  # type: ignore[attr-defined]
    return step


def with_default(channel: Any) -> Any:
    async def step(state: Any, out: Any = channel) -> dict[str, Any]:
        return {}

    return step


def with_keyword_default(channel: Any) -> Any:
    async def step(state: Any, *, out: Any = channel) -> dict[str, Any]:
        return {}

    return step


def with_partial(channel: Any) -> Any:
    async def step(out: Any, state: Any) -> dict[str, Any]:
        return {}

    return partial(step, channel)


def with_partial_keyword(channel: Any) -> Any:
    async def step(state: Any, out: Any = None) -> dict[str, Any]:
        return {}

    return partial(step, out=channel)


def with_bound_method(channel: Any) -> Any:
    step = Plain()
    step.send = channel.deliver  # type: ignore[attr-defined]
    return step


def with_class_attribute(channel: Any) -> Any:
    class Classy(Plain):
        out: ClassVar[Any] = channel

    return Classy()


def with_method_default(channel: Any) -> Any:
    class Classy(Plain):
        def send(self, out: Any = channel) -> object:
            return out

    return Classy()


def with_property(channel: Any) -> Any:
    class Classy(Plain):
        @property
        def out(self) -> object:
            return channel.name

    return Classy()


def with_global(channel: Any) -> Any:
    HELD.append(channel)

    async def step(state: Any) -> dict[str, Any]:
        return {"n": len(HELD)}

    return step


def with_module_attribute(channel: Any) -> Any:
    HELD.append(channel)

    async def step(state: Any) -> dict[str, Any]:
        return {"n": len(this_module.HELD)}

    return step


def with_wrapped(channel: Any) -> Any:
    async def inner(state: Any, out: Any = channel) -> dict[str, Any]:
        return {}

    @wraps(inner)
    async def step(state: Any) -> dict[str, Any]:
        return {}

    return step


def with_function_attribute(channel: Any) -> Any:
    async def step(state: Any) -> dict[str, Any]:
        return {}

    step.out = channel  # type: ignore[attr-defined]
    return step


def with_generator(channel: Any) -> Any:
    def letters() -> Iterator[Any]:
        out = channel
        yield 1
        yield out

    step = Plain()
    step.letters = letters()  # type: ignore[attr-defined]
    next(step.letters)  # type: ignore[attr-defined]
    return step


def with_iterator(channel: Any) -> Any:
    step = Plain()
    step.letters = iter([channel])  # type: ignore[attr-defined]
    return step


def with_weakref(channel: Any) -> Any:
    step = Plain()
    step.out = weakref.ref(channel)  # type: ignore[attr-defined]
    return step


def with_context(channel: Any) -> Any:
    CONTEXT.set(channel)

    async def step(state: Any) -> dict[str, Any]:
        return {"out": CONTEXT.get()}

    return step


def with_the_bare_secret(channel: Any) -> Any:
    step = Plain()
    step.env = {"LANEWISE_CHANNEL_SECRET": SECRET}  # type: ignore[attr-defined]
    return step


def with_the_secret_as_bytes(channel: Any) -> Any:
    return Slotted([SECRET.encode()])


def with_a_persons_hand(channel: Any) -> Any:
    return Slotted(PeopleLedger(None))  # type: ignore[arg-type]


def with_the_outboxs_hand(channel: Any) -> Any:
    return Slotted({"post": PostLedger(None)})  # type: ignore[arg-type]


this_module = sys.modules[__name__]
PLANTS: tuple[Callable[[Any], Any], ...] = (Slotted, *(f for n, f in list(globals().items()) if n.startswith("with_")))


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__.removeprefix("with_"))
async def test_a_planted_leak_is_found(plant: Callable[[Any], Any], steps: Steps, tmp_path: Path) -> None:
    channel = EmlChannel(tmp_path, "support@quillstone.example")
    token = CONTEXT.set(None)
    try:
        leaky = replace(steps, autonomous=plant(channel))
        async with compiled(leaky, tmp_path) as machine:
            found = walk(machine, (*ROOMS, __name__))
    finally:
        HELD.clear()
        CONTEXT.reset(token)
    assert found.leak, "the walk went past it"


async def test_a_step_that_holds_nothing_is_no_leak(steps: Steps, tmp_path: Path) -> None:
    async with compiled(replace(steps, autonomous=Plain()), tmp_path) as machine:  # type: ignore[arg-type]
        assert walk(machine, (*ROOMS, __name__)).leak == ""
