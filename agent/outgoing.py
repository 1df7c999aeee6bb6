"""The assistant's way out: it can only ask the ledger to let a text leave; the post room asks again and sends."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.approved_words import NO_WORDS, ApprovedWords
from agent.release_in_force import release_view
from guards.capabilities import TABLE
from guards.gate import RIGHT_FOR, Letter, Permit, Piece, Refusal
from guards.lanes import Lane
from guards.policy import Notice, Release
from guards.triggers import Boundary, Trigger
from ledger.letters import key_of
from ledger.words import digest_of, keepable
from ledger.worker import WorkerLedger


def notice_for(release: Release, lane: Lane, boundaries: tuple[Boundary, ...], triggers: tuple[Trigger, ...]) -> Notice:
    """The approved notice for an escalation: the first whose conditions hold. The release makes sure of one."""

    def fits(notice: Notice) -> bool:
        return (
            notice.lane in (None, int(lane))
            and (not notice.boundaries or bool(set(notice.boundaries) & set(boundaries)))
            and (not notice.triggers or bool(set(notice.triggers) & set(triggers)))
        )

    return next(n for n in release.notice if fits(n))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Proposes texts of one run to the ledger. Holds no channel and no credential."""

    ledger: WorkerLedger
    release: Release
    ticket: str
    seq: int
    """The event that is answered: the thread's revision, and half of the reply key."""
    approved: ApprovedWords = NO_WORDS
    """What its texts may be made of; whoever composed the text has no say in it."""
    refused: list[Refusal] = field(default_factory=list)
    """What the ledger refused, and so has recorded: once is enough."""

    def propose(self, piece: Piece, text: str) -> Permit | Refusal:
        """Asks the ledger, which re-reads everything in the transaction that writes the intent. A text that is not made
        of approved words is refused before that (law 5), and so is one that rests on an article of which this very
        version has had another text."""
        body = keepable(text)
        if (refusal := self.approved.refuse(piece, body) or self._changed(piece)) is not None:
            return refusal
        recipient, epoch = self.ledger.address(self.ticket)
        letter = Letter(
            ticket=self.ticket,
            piece=piece,
            digest=digest_of(body),
            recipient=recipient,
            epoch=epoch,
            revision=self.seq,
            release=self.release.version,
        )
        key = key_of(self.ticket, self.seq, piece.value)
        answer = self.ledger.propose(letter, body, reply_key=key, view=release_view(self.release))
        if isinstance(answer, Refusal):
            self.refused.append(answer)
        return answer

    def _changed(self, piece: Piece) -> Refusal | None:
        right = RIGHT_FOR[piece]
        if right is None or not (editions := self.approved.rests_on(piece)):
            return None
        if not (changed := self.ledger.changed_articles(editions)):
            return None
        named = ", ".join(edition.name for edition in changed)
        why = f"{named} has another text than when it was first relied on; approve it anew and raise its version"
        return Refusal(TABLE[right].does, "changed_source", why)
