"""Which policy releases texts were proposed by, and a person's word that an older one is in force again."""

from __future__ import annotations

import re

from sqlalchemy import select

from ledger.decisions import Signature
from ledger.errors import NotYetAllowed
from ledger.events import HOUSE, Entry, Kind, append, latest, own_key
from ledger.releases import in_force
from ledger.store import Store
from ledger.tables import outbox


def newest_release(store: Store) -> str | None:
    """The newest release by which a text was proposed since a person last named one, or that one; None where the ledger
    has seen none. Read once as a process begins."""
    with store.read() as conn:
        named = latest(conn, HOUSE, Kind.RELEASE_ADOPTED)
        seen = select(outbox.c.release).where(outbox.c.proposed_by > (named.seq if named else 0)).distinct()
        found = list(conn.execute(seen).scalars())
    return max([*found, *([str(named.head["release"])] if named else [])], key=_age, default=None)


def is_older(version: str, than: str | None) -> bool:
    """Whether a release is older than another, by date and number; a suffix does not count."""
    return than is not None and _age(version) < _age(than)


def adopt(store: Store, version: str, digest: str, sign: Signature) -> int:
    """Records that a person stands for the release that the settings name, though the ledger may have seen a newer one; the
    event's seq. NotYetAllowed where one was put in force from the store: the settings have no word any more."""
    entry = Entry(
        Kind.RELEASE_ADOPTED,
        own_key(f"house/{sign.key}/{store.new_id()}"),
        {"release": version[:100], "digest": digest[:64]},
        {"reason": sign.reason},
    )
    with store.write(durable=True) as conn:
        if (now := in_force(conn)) is not None:
            raise NotYetAllowed(
                f"release {now.version} was put in force by {now.by}; adopt {version[:100]} beside it anew"
            )
        return append(conn, HOUSE, entry, at=store.now(), actor=sign.by).seq


def _age(version: str) -> tuple[str, int]:
    read = re.match(r"(\d{4}-\d{2}-\d{2})(?:\.(\d+))?", version)
    return (read.group(1), int(read.group(2) or 0)) if read else ("", 0)
