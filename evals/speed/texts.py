"""The text screen and the grounding check per kilobyte, in turns with the peers' cheapest rail of one expression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from evals.speed.decisions import memory_notes
from evals.speed.environments import PEERS_LEFT_OUT, Peer, PeerMissing, start
from evals.speed.figures import Goal, Ratio, Row, Section, Spread, at_most
from evals.speed.peer import timed
from evals.speed.race import Side, race
from guards.grounding import Span, ground
from guards.wording import screen
from tools.sandbox import SandboxCompany
from tools.systems import Article, Audience

MOST_SCREEN = 150
"""Microseconds a kilobyte."""
FORBIDDEN = r"\bguarantee\b"
"""The one expression that each peer searches for; ours looks for everything that no lane may say."""
RAILS = {"guardrails-ai": "guardrails", "NeMo Guardrails": "nemo"}
"""Each peer and its environment."""
SLOW_CALLS = 10
"""A round's calls of a peer: one takes milliseconds."""

OURS = "ours: screen, 1 kB of approved articles"


async def public_articles() -> tuple[Article, ...]:
    """The made-up company's own: prose as customers are sent it."""
    return await SandboxCompany().systems().knowledge.articles({Audience.PUBLIC})


def prose(articles: tuple[Article, ...], size: int) -> str:
    """The first so many bytes of the articles, one after the other, cut at a line's end where one is near."""
    whole = "\n\n".join(article.body for article in articles)
    return whole.encode()[:size].decode(errors="ignore")


def unfinished_promises(size: int) -> str:
    """Beginnings of forbidden sentences that never come to their end: what costs a screen most."""
    begun = "we will have the refund or credit, our team, reply within, go to the "
    return (begun * (size // len(begun) + 1))[:size]


def measure(articles: tuple[Article, ...], rounds: int, calls: int, peers: bool) -> Section:
    """Everything on the same first kilobyte of text, and ours on longer and nastier ones too."""
    one, eight, promises = prose(articles, 1000), prose(articles, 8000), unfinished_promises(1000)
    spans = [Span(article.article_id, article.body) for article in articles[:3]]
    ours: dict[str, tuple[float, Callable[[int], object]]] = {
        OURS: (1.0, lambda n: screen(one)),
        "ours: screen, 8 kB of them": (8.0, lambda n: screen(eight)),
        "ours: screen, 1 kB of promises begun and not ended": (1.0, lambda n: screen(promises)),
        "ours: ground, 1 kB against three articles, screen and all": (1.0, lambda n: ground(one, spans)),
    }
    notes = [] if peers else [PEERS_LEFT_OUT]
    with ExitStack() as stack:
        rivals = list(_rivals(stack, one, notes)) if peers else []
        sides = {what: Side(partial(timed, call), calls) for what, (_, call) in ours.items()}
        sides |= {f"{peer.name} {peer.version}, one expression, 1 kB": Side(peer.turn, SLOW_CALLS) for peer in rivals}
        found = race(sides, rounds, notes)
        notes += memory_notes(rivals)
    rows = []
    for what in found:
        kilobytes = ours[what][0] if what in ours else 1.0
        spread = Spread.of(found[what], kilobytes)
        beside = None if what == OURS or kilobytes != 1 else Ratio.of(found[OURS], found[what])
        rows.append(Row(what, spread, beside, _goals(what, spread)))
    return Section("Texts: what no lane may say, and what no source supports", "a kB", tuple(rows), tuple(notes))


def _goals(what: str, spread: Spread) -> tuple[Goal, ...]:
    return (at_most("p50", spread.p50, MOST_SCREEN, "µs a kB"),) if "screen, " in what else ()


def _rivals(stack: ExitStack, text: str, notes: list[str]) -> Iterator[Peer]:
    checked = [[text], [f"{text} We guarantee it: guarantee."]]
    for name, env in RAILS.items():
        try:
            peer = start(name, env, {"forbidden": FORBIDDEN}, checked, [[text]])
        except PeerMissing as error:
            notes.append(f"not measured: {error}")
            continue
        stack.callback(peer.stop)
        if peer.verdicts == [True, False]:
            yield peer
        else:
            notes.append(f"not measured: {name} lets the forbidden word pass, or stops a text without it")
