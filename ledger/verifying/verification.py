"""Whether the record is whole: the chain, its head, its anchors, the words, and what was derived from the log."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ledger.errors import CannotCheck, NoChainKey, OtherChainKey
from ledger.events import Kind
from ledger.sealed import chain as links
from ledger.sealed.chain import ChainKey, Fault, Finding, Place, Stored, Walk
from ledger.sealed.keyring import Anchor, AnchorDamaged, Keyring
from ledger.sealed.sealing import Head, read_head, stored_records
from ledger.store import Store
from ledger.tables import bodies
from ledger.verifying.agreement import first_disagreement


@dataclass(frozen=True, slots=True)
class Noted:
    """An anchor that somebody wrote down elsewhere."""

    number: int
    link: str

    @classmethod
    def read(cls, said: str) -> Noted:
        """Of ``COUNT:MAC``, as ``verify`` prints it. CannotCheck for anything else."""
        number, _, link = said.strip().partition(":")
        if not (number.isascii() and number.isdigit() and len(link) == 32 and set(link) <= set("0123456789abcdef")):
            raise CannotCheck(f"{said[:80]!r} is no anchor. Give it as `lanewise verify` printed it: COUNT:MAC.")
        return cls(int(number), link)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole record came to."""

    records: int
    """How many were found to be in order."""
    first_at: str | None
    last_at: str | None
    erased: int
    """Bodies whose words were erased, as a recorded decision says."""
    finding: Finding | None
    """The first thing that is wrong."""
    doubt: str | None = None
    """What could not be checked, where nothing was found to be wrong."""
    now: str | None = None
    """The anchor of the record as it stands, to be written down elsewhere."""
    unanchored: int = 0
    """How many of the last records the anchor does not cover yet."""
    notes: tuple[str, ...] = ()
    """From which record on the chain speaks, where it was not there from the start."""


def verify(store: Store, noted: Noted | None = None) -> Verdict:
    """Checks every record, in memory that does not grow with them; writes nothing and makes no key.

    NoChainKey and OtherChainKey where it cannot be checked with the key at hand.
    """
    with store.read() as conn:
        return verify_by(conn, store.keyring, noted)


def verify_by(conn: Connection, keyring: Keyring, noted: Noted | None = None) -> Verdict:
    """As ``verify``, through an open connection."""
    return _Check(conn, keyring, noted).run()


_ERASED = select(func.count()).select_from(bodies).where(bodies.c.text.is_(None))


class _Check:
    """One check, over one view of the ledger."""

    def __init__(self, conn: Connection, keyring: Keyring, noted: Noted | None) -> None:
        self.conn, self.keyring, self.noted = conn, keyring, noted
        self.head: Head | None = None
        self.anchor: Anchor | None = None
        self.damaged: str | None = None
        self.notes: list[str] = []

    def run(self) -> Verdict:
        key = self.keyring.key()
        # The anchor before the first look into the ledger: read after it, it may know of records that this view of the
        # ledger does not show yet.
        if key is not None:
            try:
                self.anchor = self.keyring.anchor(key)
            except AnchorDamaged as error:
                self.damaged = str(error)
        self.head = read_head(self.conn)
        first = next(stored_records(self.conn), None)
        if key is None:
            anchored = self.keyring.anchor_file is not None and self.keyring.anchor_file.exists()
            if first is None and self.noted is None and self.head and self.head.key_id is None and not anchored:
                return Verdict(0, None, None, 0, None)
            raise NoChainKey(self.keyring.missing())
        if self.head is None:
            return self._told(None, Finding(Fault.HEAD_EDITED, None, None, "the chain head is gone, or is none"))
        wrong = self._whose(self.head, key, first)
        if wrong is not None:
            return self._told(None, wrong)
        walk = Walk(key, self.head.chain, known=max([self.head.number, *(n for n, _, _ in self._anchors())]))
        finding = self._walked(walk) or self._ended(walk, self.head) or walk.lost or first_disagreement(self.conn)
        if finding is None and self.damaged is not None:
            finding = Finding(Fault.ANCHOR_EDITED, None, None, self.damaged)
        return self._told(walk, finding)

    def _whose(self, head: Head, key: ChainKey, first: Stored | None) -> Finding | None:
        """Whether this is the ledger that the key and the anchor belong to."""

        def sealed_as(chain: str) -> bool:
            return first is not None and Walk(key, chain).authentic(first) is not None

        if head.key_id not in (None, key.id):
            if sealed_as(head.chain):
                return Finding(Fault.HEAD_EDITED, None, None, "the chain head names another key than the records'")
            if self.anchor is None:
                raise OtherChainKey(
                    f"the record is sealed with key {head.key_id}, and the key at hand is {key.id}: with this one it "
                    "cannot be checked. Put the right key in its place."
                )
        if self.anchor is None or self.anchor.chain == head.chain:
            return None
        if sealed_as(self.anchor.chain):
            return Finding(Fault.HEAD_EDITED, None, None, "the chain head names another chain than the records'")
        words = "the anchor belongs to another ledger than the one that stands here: the file was replaced"
        return Finding(Fault.OTHER_LEDGER, None, None, words)

    def _anchors(self) -> list[tuple[int, str, int | None]]:
        found: list[tuple[int, str, int | None]] = []
        if self.anchor is not None:
            found.append((self.anchor.place.number, self.anchor.place.link, self.anchor.place.seq))
        if self.noted is not None:
            found.append((self.noted.number, self.noted.link, None))
        return found

    def _walked(self, walk: Walk) -> Finding | None:
        anchors = [a for a in self._anchors() if a[0]]
        for step in walk.check(stored_records(self.conn)):
            if isinstance(step, Finding):
                return step
            for number, link, _ in anchors:
                if number == walk.place.number and link != walk.place.link:
                    return links.beside(number, step.seq)
            if step.fields.kind == Kind.RECORD_SEALED.value:
                self.notes.append(_note(walk.place, step))
        return None

    def _ended(self, walk: Walk, head: Head) -> Finding | None:
        stands = head.place if head.number else Place(0, head.seq, walk.place.link)
        end = links.ended(walk.place, stands)
        if end is not None and end.fault is Fault.TAIL_CUT:
            return end
        most = max((n for n, _, _ in self._anchors()), default=0)
        return links.short_of(walk.place, most) if most > walk.place.number else end

    def _told(self, walk: Walk | None, finding: Finding | None) -> Verdict:
        if walk is None:
            return Verdict(0, None, None, 0, finding)
        place = walk.place
        doubt = None
        if self.keyring.anchor_file is not None and self.anchor is None and self.damaged is None and place.number:
            doubt = f"there is no anchor at {self.keyring.anchor_file}: nobody can say whether this is the newest copy"
        elif self.keyring.anchor_file is None and self.noted is None and place.number:
            doubt = "no anchor is kept for this ledger: nobody can say whether this is the newest copy"
        return Verdict(
            records=place.number,
            first_at=_text(walk.first_at),
            last_at=_text(walk.last_at),
            erased=self.conn.execute(_ERASED).scalar_one(),
            finding=finding,
            doubt=doubt if finding is None and self.noted is None else None,
            now=f"{place.number}:{place.link}" if finding is None else None,
            unanchored=place.number - self.anchor.place.number if self.anchor else 0,
            notes=tuple(self.notes),
        )


def _note(place: Place, sealed: Stored) -> str:
    fields = sealed.fields
    return (
        f"records 1 to {place.number - 1} were sealed as they stood on {_text(fields.at)}, by {_text(fields.actor)}: "
        "for them the chain speaks from that day on"
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
