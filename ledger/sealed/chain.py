"""The chain: the seal of a record under a key and the seal before it, and the walk that finds the first record that is wrong."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import NoReturn

from ledger.words import digest_of

SHORTEST_KEY = 32
"""Fewest characters of a chain key; a key that can be guessed seals nothing."""
_HALF = 32
"""Hex digits of each half of a seal: 128 bits."""
_SEAL = re.compile(r"([0-9]{1,19})\.(-?[0-9]{1,19})\.([0-9a-f]{32})([0-9a-f]{32})")
_LOOK_AHEAD = 200
"""How many records behind a wrong one are read to say what was done to it."""


class ChainKey:
    """What the record is sealed with: it makes seals, it cannot be printed, copied or stored."""

    __slots__ = ("_keyed", "id")

    def __init__(self, secret: str) -> None:
        """ValueError for one that is too short; the message does not repeat it."""
        kept = secret.strip()
        if len(kept) < SHORTEST_KEY:
            raise ValueError(f"a chain key has at least {SHORTEST_KEY} characters, and this one has {len(kept)}")
        # Keyed once and copied for each record: keying it anew would take three times as long.
        self._keyed = hmac.new(kept.encode("utf-8", errors="surrogatepass"), digestmod=hashlib.sha256)
        self.id: str = self.mac("key")[:16]
        """Tells two keys apart and gives neither away."""

    def mac(self, *parts: object) -> str:
        """HMAC-SHA256 over the parts, 64 hex digits; no two different lists of parts read the same."""
        # Texts by the shortest way: a run seals some twenty events.
        told = "".join([f"{len(part)}:{part}" if type(part) is str else _told(part) for part in parts])
        mac = self._keyed.copy()
        mac.update(told.encode("utf-8", errors="surrogatepass"))
        return mac.hexdigest()

    def __repr__(self) -> str:
        """Never the key."""
        return "ChainKey(…)"

    def __reduce__(self) -> NoReturn:
        """TypeError: a key is not written anywhere, not even by pickle or copy."""
        raise TypeError("a chain key cannot be copied or stored")


def _told(part: object) -> str:
    if part is None:
        return "-"
    # A column of SQLite holds what it is given: bytes where a text should stand are not that text.
    said = part if type(part) is str else str(part) if type(part) is int else repr(part)
    return f"{len(said)}:{said}"


@dataclass(frozen=True, slots=True)
class Fields:
    """What a seal covers of an event, each as the database holds it: text as text, ``head`` as canonical JSON."""

    ticket: object
    key: object
    kind: object
    at: object
    actor: object
    head: object
    body_id: object
    digest: object
    """The body's digest; None for an event without a body."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the chain: how many records there are up to it, the last one's seq, and what the next is linked to."""

    number: int
    seq: int
    link: str


@dataclass(frozen=True, slots=True)
class Seal:
    """What stands beside a record: its number and seq, a MAC of its own, and the link to all before it."""

    number: int
    seq: int
    own: str
    link: str

    def __str__(self) -> str:
        """As it is stored."""
        return f"{self.number}.{self.seq}.{self.own}{self.link}"

    @classmethod
    def read(cls, stored: object) -> Seal | None:
        """Of its stored form; None for anything else."""
        found = _SEAL.fullmatch(stored) if isinstance(stored, str) else None
        return cls(int(found[1]), int(found[2]), found[3], found[4]) if found else None

    @property
    def place(self) -> Place:
        """Where the chain has come to with this record."""
        return Place(self.number, self.seq, self.link)


def genesis(key: ChainKey, chain: str) -> Place:
    """The place before the first record. ``chain`` is the ledger's random id: two ledgers cannot be spliced."""
    return Place(0, 0, key.mac("genesis", chain)[:_HALF])


def seal_next(key: ChainKey, chain: str, before: Place, seq: int, fields: Fields) -> Seal:
    """The seal of the record that comes after ``before``."""
    number = before.number + 1
    own = _own(key, chain, number, seq, fields)
    return Seal(number, seq, own, _link(key, before.link, own))


def _own(key: ChainKey, chain: str, number: int, seq: int, f: Fields) -> str:
    return key.mac("record", chain, number, seq, f.ticket, f.key, f.kind, f.at, f.actor, f.head, f.body_id, f.digest)[
        :_HALF
    ]


def _link(key: ChainKey, before: str, own: str) -> str:
    return key.mac("link", before, own)[:_HALF]


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────


class Fault(StrEnum):
    """What can be wrong with the record."""

    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TAIL_CUT = "tail cut off"
    ROLLED_BACK = "rolled back"
    BODY_EDITED = "words edited"
    BODY_LOST = "words gone"
    HEAD_EDITED = "chain head edited"
    ANCHOR_EDITED = "anchor edited"
    OTHER_LEDGER = "another ledger"
    DISAGREES = "the log and the outbox or register disagree"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong."""

    fault: Fault
    record: int | None
    """The number in the chain (the first record is 1) of the first bad record; None where no record is to blame."""
    seq: int | None
    """Its seq, as ``lanewise ticket`` shows it; None where it is gone or none is to blame."""
    words: str
    """What is wrong, in one sentence."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it stands in the database, with its words."""

    seq: int
    fields: Fields
    seal: object
    body_ticket: object = None
    text: object = None
    erased_by: int | None = None
    """The seq of the decision behind the ticket's last erasure; only asked where the words are gone."""


@dataclass(slots=True)
class Walk:
    """A walk over the records in the order of their seq; one record in memory, however many there are."""

    key: ChainKey
    chain: str
    known: int = 0
    """How many records somebody else (head, anchor) knows of: tells an added last record from a changed one."""
    place: Place = Place(0, 0, "")
    lost: Finding | None = None
    """The first record whose words are gone without an erasure. Kept back: where the erasure itself was tampered with,
    that is what is wrong."""
    first_at: object = None
    last_at: object = None

    def __post_init__(self) -> None:
        self.place = genesis(self.key, self.chain)

    def check(self, records: Iterable[Stored]) -> Iterator[Stored | Finding]:
        """Each sound record in turn, the walk's ``place`` being its own; then, where one is wrong, the finding, and
        no more."""
        rest = iter(records)
        for stored in rest:
            seal = self._sound(stored)
            if seal is None:
                yield self._diagnosed(stored, list(islice(rest, _LOOK_AHEAD)))
                return
            wrong = self._words(stored, seal.number)
            if wrong is not None and wrong.fault is not Fault.BODY_LOST:
                yield wrong
                return
            self.lost = self.lost or wrong
            self.place = seal.place
            self.first_at = stored.fields.at if seal.number == 1 else self.first_at
            self.last_at = stored.fields.at
            yield stored

    def authentic(self, stored: Stored) -> Seal | None:
        """The record's seal where the record is one that we sealed, wherever it stands by now."""
        seal = Seal.read(stored.seal)
        return seal if seal is not None and self._fits(seal, stored.fields) else None

    def _fits(self, seal: Seal, fields: Fields) -> bool:
        return hmac.compare_digest(seal.own, _own(self.key, self.chain, seal.number, seal.seq, fields))

    def _sound(self, stored: Stored) -> Seal | None:
        seal = self.authentic(stored)
        if seal is None or (seal.number, seal.seq) != (self.place.number + 1, stored.seq):
            return None
        return seal if hmac.compare_digest(seal.link, _link(self.key, self.place.link, seal.own)) else None

    def _words(self, stored: Stored, number: int) -> Finding | None:
        fields = stored.fields
        if fields.body_id is None:
            return None
        if stored.body_ticket != fields.ticket:
            words = f"its words were moved to ticket {str(stored.body_ticket)[:60]!r}"
            return Finding(Fault.BODY_EDITED, number, stored.seq, words)
        if stored.text is not None:
            whole = isinstance(stored.text, str) and digest_of(stored.text) == fields.digest
            told = "its words are not those it was sealed with (their digest differs), and they are not erased"
            return None if whole else Finding(Fault.BODY_EDITED, number, stored.seq, told)
        if stored.erased_by is None or stored.erased_by <= stored.seq:
            told = "its words are gone, and no erasure of them is on record"
            return Finding(Fault.BODY_LOST, number, stored.seq, told)
        return None

    # What was done to a record that is not sound: read from what stands behind it.

    def _diagnosed(self, bad: Stored, ahead: list[Stored]) -> Finding:
        seal = self.authentic(bad)
        number = self.place.number + 1
        if seal is None:
            return self._not_ours(bad, ahead, number)
        if seal.number == number:
            if seal.seq != bad.seq:
                words = f"its number in the ledger was changed from {seal.seq} to {bad.seq}"
                return Finding(Fault.EDITED, number, bad.seq, words)
            return self._ill_linked(bad, seal, ahead)
        if seal.number < number:
            words = f"it is a copy of record {seal.number} (event {seal.seq}), put in a second time"
            return Finding(Fault.INSERTED, number, bad.seq, words)
        numbers = {s.number for s in map(self.authentic, ahead) if s is not None}
        if number in numbers and seal.number in numbers:
            words = f"it is a copy of record {seal.number}, put in before its time"
            return Finding(Fault.INSERTED, number, bad.seq, words)
        if number in numbers:
            words = f"record {seal.number} stands in its place: records were exchanged"
            return Finding(Fault.REORDERED, number, bad.seq, words)
        gone = seal.number - number
        which = "it is gone" if gone == 1 else f"{gone} records from it on are gone"
        after = f"after event {self.place.seq}" if self.place.number else "at the very beginning"
        return Finding(Fault.DELETED, number, None, f"{which}: {after} comes record {seal.number} (event {bad.seq})")

    def _ill_linked(self, bad: Stored, seal: Seal, ahead: list[Stored]) -> Finding:
        follows = self.authentic(ahead[0]) if ahead else None
        if follows is not None and follows.link == _link(self.key, seal.link, follows.own):
            words = "it was sealed behind another record than the one that stands before it: the ledger was rolled back"
            return Finding(
                Fault.ROLLED_BACK, seal.number, bad.seq, f"{words} and then written on, or its head was edited"
            )
        return Finding(Fault.EDITED, seal.number, bad.seq, "its seal was changed, or the chain head before it was")

    def _not_ours(self, bad: Stored, ahead: list[Stored], number: int) -> Finding:
        seal = Seal.read(bad.seal)
        moved = [other for other in ahead if seal is not None and self._fits(seal, other.fields)]
        if any(self.authentic(other) is None for other in moved):
            words = "it holds what another record says, and that other one holds its own: records were exchanged"
            return Finding(Fault.REORDERED, number, bad.seq, words)
        strange = 1
        for later in ahead:
            if (ours := self.authentic(later)) is not None:
                extra = ours.number == number
                break
            strange += 1
        else:
            extra = self.known < number
        if extra:
            words = "it carries no seal" if seal is None else "its seal is not ours"
            unsealed = bad.seal is None and bad.fields.kind == "halted"
            more = " (a halt is written even where the key is missing)" if unsealed else ""
            return Finding(Fault.INSERTED, number, bad.seq, f"{words}: it was put in from outside{more}")
        if bad.fields.body_id is not None and bad.fields.digest is None:
            return Finding(Fault.EDITED, number, bad.seq, "its body is gone from the ledger")
        words = "what it says is not what was sealed" if seal is not None else "its seal is gone or was changed"
        return Finding(Fault.EDITED, number, bad.seq, words)


# ── where the record ends ───────────────────────────────────────────────────────────────────────────────────


def ended(place: Place, head: Place) -> Finding | None:
    """What is wrong with the end: ``place`` is where the walk came to, ``head`` what the ledger's own row says."""
    if place == head:
        return None
    # A head that was cut off with its records carries the link of one of them; no other is to be had without the key.
    if head.number > place.number and head.link != place.link:
        words = f"the chain head counts {head.number} records, and {place.number} are there: the tail was cut off"
        return Finding(Fault.TAIL_CUT, place.number + 1, None, words)
    words = f"the chain head (record {head.number}, event {head.seq}) is not the last record's (record {place.number}, event {place.seq})"
    return Finding(Fault.HEAD_EDITED, None, None, words)


def short_of(place: Place, anchored: int) -> Finding:
    """The record ends before what an anchor has seen."""
    words = (
        f"an anchor has seen {anchored} records and {place.number} are there: the ledger is an older copy, or its tail was "
        "cut off and its head rewritten"
    )
    return Finding(Fault.ROLLED_BACK, place.number + 1, None, words)


def beside(anchored: int, seq: int | None) -> Finding:
    """The anchored record is not the one that stands in its place."""
    words = "it is not the record that an anchor saw in this place: the ledger was rolled back and then written on"
    return Finding(Fault.ROLLED_BACK, anchored, seq, words)
