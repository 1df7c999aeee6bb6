"""The chain's end in the database: read at a write transaction's first event, moved on with each, written back once."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, Text, bindparam, case, delete, func, insert, select, type_coerce, update
from sqlalchemy.exc import DBAPIError

from ledger.errors import CannotSeal, NoChainKey, OtherChainKey, RecordRolledBack
from ledger.sealed.chain import ChainKey, Fields, Place, Seal, Stored, genesis, seal_next
from ledger.sealed.keyring import AnchorDamaged, Keyring, anchored
from ledger.tables import bodies, chain_head, events

STOPS = "halted"
"""The one kind that is written without a seal where none can be made: a halt waits for no key."""
_PAGE = 500

_CHECK = "Run `lanewise verify`: it says what is wrong, and what to do."


class Chain:
    """What one open store knows of its chain."""

    __slots__ = ("behind", "keyring", "trusted")

    def __init__(self, keyring: Keyring) -> None:
        """Nothing is read before the first event is written."""
        self.keyring = keyring
        self.trusted: Place | None = None
        """The anchor that was found to be in the record; the next one is compared with it first."""
        self.behind = False
        """Whether events were written that no anchor covers yet."""


@dataclass(frozen=True, slots=True)
class Next:
    """The place of an event that is about to be written."""

    seq: int
    seal: Seal | None
    """None for a halt that nobody can seal."""


@dataclass(frozen=True, slots=True)
class Head:
    """The chain's row, as it is stored; ``last`` is the seq of the last event there is."""

    chain: str
    key_id: str | None
    number: int
    seq: int
    link: str | None
    last: int

    @property
    def place(self) -> Place:
        """Where the row says that the chain has come to."""
        return Place(self.number, self.seq, self.link or "")


_LAST = select(func.max(events.c.seq)).scalar_subquery()
# FOR UPDATE is for databases whose write transactions run side by side; SQLite's already exclude each other.
_HEAD = select(chain_head, _LAST.label("last")).where(chain_head.c.id == 1)
_HELD = _HEAD.with_for_update(of=chain_head)
_MOVE = update(chain_head).where(chain_head.c.id == 1)
_SEAL_AT = select(events.c.seal).where(events.c.seq == bindparam("at_seq"))


class Sealing:
    """The seals of one write transaction."""

    __slots__ = ("_anchoring", "_chain", "_conn", "_durable", "_head", "_key", "_now", "_place", "_unsealed")

    def __init__(self, conn: Connection, chain: Chain, durable: bool, now: Callable[[], datetime]) -> None:
        """For ``Store.write``. ``durable``: the commit waits for the disk, so the chain may be anchored there."""
        self._conn, self._chain, self._durable, self._now = conn, chain, durable, now
        self._head: Head | None = None
        self._place: Place | None = None
        self._key: ChainKey | None = None
        self._unsealed = 0
        self._anchoring = False

    def next(self, fields: Fields) -> Next:
        """Number and seal of the event that is to be written now; ``take`` it once it stands. CannotSeal, but for a
        halt."""
        try:
            key, place, chain = self._opened()
        except CannotSeal:
            if fields.kind != STOPS:
                raise
            last = self._conn.execute(select(func.max(events.c.seq))).scalar_one() or 0
            return Next(max(last, self._head.seq if self._head else 0) + 1, None)
        seq = place.seq + 1
        return Next(seq, seal_next(key, chain, place, seq, fields))

    def take(self, written: Next) -> None:
        """The event stands: the next one comes after it."""
        if written.seal is not None:
            self._place = written.seal.place
        else:
            self._unsealed = written.seq

    def settle(self) -> None:
        """Writes the head again as it is, so that the commit waits for the disk and what came before is anchored."""
        self._opened()

    def finish(self) -> None:
        """Writes the head back, before the commit."""
        if self._unsealed:
            self._conn.execute(_MOVE, {"seq": self._unsealed})
        elif self._place is not None and self._key is not None:
            place = self._place
            values = {"number": place.number, "seq": place.seq, "link": place.link, "key_id": self._key.id}
            self._conn.execute(_MOVE, values)

    def anchor(self) -> None:
        """After the commit: what is durable by now is written down outside the database."""
        head, place, key = self._head, self._place, self._key
        if head is None or place is None or key is None or self._unsealed:
            return
        if not (self._durable and self._anchoring):
            self._chain.behind = self._chain.behind or place.number > head.number
            return
        try:
            self._chain.keyring.move_anchor(anchored(head.chain, place, self._now()), key)
        except OSError as error:
            logging.getLogger(__name__).warning("the ledger's anchor could not be written: %s", error.strerror)
            return
        self._chain.trusted, self._chain.behind = place, False

    # --- within ---

    def _opened(self) -> tuple[ChainKey, Place, str]:
        head = self._head
        if self._key is None or self._place is None or head is None:
            self._head = head = read_head(self._conn, hold=True)
            if head is None:
                raise CannotSeal(f"the ledger's chain head is gone, or is no chain head. {_CHECK}")
            key = self._usable_key(head)
            if head.last != head.seq:
                raise CannotSeal(
                    f"the ledger's chain head does not fit its last event ({head.seq}, {head.last}). {_CHECK}"
                )
            place = head.place if head.number else replace(genesis(key, head.chain), seq=head.seq)
            self._compare_anchor(head, place, key)
            self._key, self._place = key, place
        return self._key, self._place, head.chain

    def _usable_key(self, head: Head) -> ChainKey:
        keyring = self._chain.keyring
        key = keyring.key()
        if key is None:
            if head.key_id is not None or (keyring.anchor_file and keyring.anchor_file.exists()):
                raise NoChainKey(keyring.missing())
            key = keyring.make_key()
        if head.key_id not in (None, key.id):
            raise OtherChainKey(
                f"this ledger's record is sealed with key {head.key_id}, and the key at hand is {key.id}. Put the right "
                "one back; nothing can be recorded or sent with this one but a halt."
            )
        return key

    def _compare_anchor(self, head: Head, place: Place, key: ChainKey) -> None:
        """RecordRolledBack where the anchor knows better. One that is missing or damaged is left for ``verify`` to tell:
        a new one would hide it."""
        chain = self._chain
        if chain.keyring.anchor_file is None or (chain.trusted is not None and not self._durable):
            return
        try:
            found = chain.keyring.anchor(key)
        except AnchorDamaged:
            return
        if found is None:
            if head.number:
                return
            found = anchored(head.chain, place, self._now())
            chain.keyring.begin_anchor(found, key)
        if found.chain != head.chain or found.place.number > head.number:
            raise self._rolled_back(head)
        if found.place != chain.trusted and found.place.number:
            seal = Seal.read(self._conn.execute(_SEAL_AT, {"at_seq": found.place.seq}).scalar())
            if seal is None or seal.place != found.place:
                raise self._rolled_back(head)
        chain.trusted, self._anchoring = found.place, True

    def _rolled_back(self, head: Head) -> RecordRolledBack:
        return RecordRolledBack(
            f"the ledger ends at record {head.number} and is not the one its anchor {self._chain.keyring.anchor_file} "
            f"knows: an older copy or another ledger stands in its place, and what has left since could leave again. {_CHECK}"
        )


def sealing_of(conn: Connection) -> Sealing:
    """The seals of the connection's write transaction."""
    found = conn.get_execution_options()["lanewise_seals"]
    assert isinstance(found, Sealing)
    return found


def read_head(conn: Connection, *, hold: bool = False) -> Head | None:
    """The chain's row; None where it is gone or holds what no chain head holds. ``hold`` keeps others from moving it
    before the commit."""
    row = conn.execute(_HELD if hold else _HEAD).first()
    if row is None or not isinstance(row.number, int) or not isinstance(row.seq, int) or not isinstance(row.chain, str):
        return None
    return Head(row.chain, row.key_id, row.number, row.seq, row.link, row.last or 0)


def seal_anew(conn: Connection, key: ChainKey) -> tuple[str, Place]:
    """Seals every event as it stands, under a new chain id, and writes the head: at migration, and where a person takes
    the record over. Returns the chain's id and its end."""
    chain = secrets.token_hex(16)
    place = genesis(key, chain)
    seals: list[dict[str, Any]] = []
    for stored in stored_records(conn):
        seal = seal_next(key, chain, place, stored.seq, stored.fields)
        place = seal.place
        seals.append({"at_seq": stored.seq, "sealed": str(seal)})
        if len(seals) == _PAGE:
            conn.execute(_SET_SEAL, seals)
            seals = []
    if seals:
        conn.execute(_SET_SEAL, seals)
    conn.execute(delete(chain_head))
    conn.execute(
        insert(chain_head).values(id=1, chain=chain, key_id=key.id, number=place.number, seq=place.seq, link=place.link)
    )
    return chain, place


# ── the records, as they are stored ─────────────────────────────────────────────────────────────────────────

_SET_SEAL = update(events).where(events.c.seq == bindparam("at_seq")).values(seal=bindparam("sealed"))
_erasures, _decisions = events.alias("erasures"), events.alias("decisions")
# The decision and not the erasure: the reason that was given for it is written after the words are gone.
_ERASED_BY = (
    select(func.max(_decisions.c.seq))
    .where(
        _decisions.c.ticket_id == events.c.ticket_id,
        _decisions.c.kind == "person_decided",
        _decisions.c.seq
        < select(func.max(_erasures.c.seq))
        .where(_erasures.c.ticket_id == events.c.ticket_id, _erasures.c.kind == "words_erased")
        .correlate(events)
        .scalar_subquery(),
    )
    .correlate(events)
    .scalar_subquery()
)
_STORED = select(
    events.c.seq,
    events.c.ticket_id,
    events.c.key,
    events.c.kind,
    # As text: the seal is over what is stored, not over what can be read from it.
    type_coerce(events.c.at, String).label("at_text"),
    events.c.actor,
    type_coerce(events.c.head, Text).label("head_text"),
    events.c.body_id,
    events.c.seal,
    bodies.c.digest,
    bodies.c.ticket_id.label("body_ticket"),
    bodies.c.text.label("body_text"),
    case((events.c.body_id.is_not(None) & bodies.c.text.is_(None), _ERASED_BY)).label("erased_by"),
).outerjoin(bodies, bodies.c.id == events.c.body_id)
_AFTER = _STORED.where(events.c.seq > bindparam("after")).order_by(events.c.seq).limit(_PAGE)
_ONE = _STORED.where(events.c.seq == bindparam("at_seq"))
_SEQS = select(events.c.seq).where(events.c.seq > bindparam("after")).order_by(events.c.seq).limit(_PAGE)
_LOWEST = -(2**63)


def stored_records(conn: Connection) -> Iterator[Stored]:
    """Every event in the order of its seq, page by page."""
    after = _LOWEST
    while True:
        try:
            page = [_stored(row) for row in conn.execute(_AFTER, {"after": after})]
        except DBAPIError:
            # One value that cannot be read spoils its whole page: the others are read one by one.
            page = [_by_itself(conn, seq) for seq in conn.execute(_SEQS, {"after": after}).scalars().all()]
        if not page:
            return
        yield from page
        after = page[-1].seq


def _by_itself(conn: Connection, seq: int) -> Stored:
    try:
        return _stored(conn.execute(_ONE, {"at_seq": seq}).one())
    except DBAPIError:
        return Stored(seq, Fields(None, None, None, None, None, None, None, None), None)


def _stored(row: Row[Any]) -> Stored:
    fields = Fields(row.ticket_id, row.key, row.kind, row.at_text, row.actor, row.head_text, row.body_id, row.digest)
    return Stored(row.seq, fields, row.seal, row.body_ticket, row.body_text, row.erased_by)
