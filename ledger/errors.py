"""What can be wrong between an actor and the ledger.

LedgerError
├── Busy                   somebody else holds it; try again later
│   ├── StoreBusy          the database stayed locked
│   └── LeaseHeld          another worker runs this ticket
├── LeaseLost              our lease ran out and another worker took the ticket
├── StoreBroken            the database cannot be opened, read or written
│   └── StoreTooNew        it was written by a later Lanewise
├── CannotSeal             an event cannot be sealed into the record, so it was not written
│   ├── NoChainKey         the key is not there, or cannot be used
│   ├── OtherChainKey      the record was sealed with another key
│   └── RecordRolledBack   the ledger is older than its anchor, or another one
├── CannotCheck            nobody can say whether the record is whole
├── NestedWrite            a write transaction was opened inside another
├── Unknown                the ledger has never heard of it
│   ├── UnknownTicket
│   ├── UnknownEvent
│   ├── UnknownReview
│   ├── UnknownOpening
│   ├── UnknownLetter
│   ├── UnknownChange
│   ├── UnknownUser
│   ├── UnknownKey
│   ├── UnknownWebhook
│   └── UnknownAudit
├── UserExists             two people cannot sign with one name
├── BadMessage             an incoming message without a ticket, or without a key
├── KeyReused              one key, two texts
├── NotYours               an actor tried to record what another actor's hand must write
├── HeadTooLarge           an event's head is to be small and to hold no customer text
├── OnlyAPersonLowers      a machine tried to end what holds the lane up
├── WordsErased            the ticket was erased under a run, which writes nothing more
├── WrongState             a letter cannot go from its state to that one
├── Unsigned               a decision without a name, a reason or a key
├── StaleDecision          something changed since the person looked
├── AlreadyDecided         somebody decided first, or this key has decided something else
├── AlreadyClaimed         another person has the thread
├── NothingToApprove       the review holds no draft (in lane 3 it never does)
├── CannotLeave            a person's text cannot go out: the gate's refusal, in words
├── CannotBeDone           a change that a person orders cannot be carried out: the gate's refusal, in words
├── CannotDraw             a week's sample for audit cannot be drawn as asked
├── CannotJudge            an auditor's verdict is not taken
├── CannotReview           a periodic review cannot be opened or closed as asked
├── NotYetAllowed          a release is not proposed, proven, approved or earned as far as the next step needs
├── PacketUnreadable       a stored packet has fields its kind does not know
└── PacketRefused          the lint found that a packet repeats the ticket or asserts too much

An event that arrives twice is not an error: intake is idempotent and says ``first=False``.
"""

from __future__ import annotations

from collections.abc import Sequence


class LedgerError(Exception):
    """The ledger could not do it; nothing of it was written."""


class Busy(LedgerError):
    """Somebody else holds it just now; the same call may succeed later."""


class StoreBusy(Busy):
    """The database stayed locked longer than the store waits."""


class LeaseHeld(Busy):
    """Another worker runs this ticket."""


class LeaseLost(LedgerError):
    """The lease ran out before it was renewed, and may be another's by now."""


class StoreBroken(LedgerError):
    """The database cannot be opened, read or written; a person must look at it."""


class StoreTooNew(StoreBroken):
    """The store's schema was written by a later Lanewise than this one."""


class CannotSeal(LedgerError):
    """An event cannot be sealed into the record. Nothing but a halt is written without a seal, so nothing leaves."""


class NoChainKey(CannotSeal):
    """The chain key is not where it should be, or cannot be used."""


class OtherChainKey(CannotSeal):
    """The record was sealed with another key than the one at hand."""


class RecordRolledBack(CannotSeal):
    """The anchor knows of records that the ledger does not have: an older copy stands in its place."""


class CannotCheck(LedgerError):
    """The record cannot be checked as it is; the message says what is missing."""


class NestedWrite(LedgerError):
    """A write transaction was opened inside another of the same thread: it would wait for itself."""


class Unknown(LedgerError):
    """The ledger has never heard of it."""


class UnknownTicket(Unknown):
    """No ticket of that id."""


class UnknownEvent(Unknown):
    """No waiting event of that number."""


class UnknownReview(Unknown):
    """No review of that id, or none that is open."""


class UnknownOpening(Unknown):
    """No open answer or action of that id on this ticket."""


class UnknownLetter(Unknown):
    """No letter under that reply key."""


class UnknownChange(Unknown):
    """No change under that key."""


class UnknownUser(Unknown):
    """Nobody of that name may work at the desk."""


class UnknownKey(Unknown):
    """No key of that id calls the interface."""


class UnknownWebhook(Unknown):
    """No receiver of that id."""


class UserExists(LedgerError):
    """That name is taken."""


class UnknownAudit(Unknown):
    """No audit of that id was drawn."""


class BadMessage(LedgerError):
    """A message that cannot be filed: it names no ticket or carries no key."""


class KeyReused(LedgerError):
    """One key of one ticket came with two different texts; the first is kept."""

    def __init__(self, ticket: str, key: str, kept: str, refused: str) -> None:
        """``kept`` and ``refused`` name the two: their digests, or their kinds where those differ."""
        super().__init__(
            f"ticket {ticket!r}: key {key!r} already stands for {kept}; {refused} came under the same key. "
            "Give each message a key of its own."
        )
        self.ticket, self.key, self.kept, self.refused = ticket, key, kept, refused


class NotYours(LedgerError):
    """An actor tried to record an event that only another actor's deed may write."""


class HeadTooLarge(LedgerError):
    """An event's head is longer than heads may be: long text belongs in the body, which can be erased."""


class OnlyAPersonLowers(LedgerError):
    """Closing this would lower the ticket's lane, and only a person may do that."""


class WordsErased(LedgerError):
    """The ticket was erased while a run was under way: nothing more is written by it."""


class WrongState(LedgerError):
    """A letter cannot go from the state it is in to the one asked for."""


class Unsigned(LedgerError):
    """A decision came without a name, without a reason or without a key."""


class StaleDecision(LedgerError):
    """Something changed since the person looked; ``changes`` says what, in words."""

    def __init__(self, changes: Sequence[str]) -> None:
        """``changes`` holds one sentence for each thing that is no longer as it was seen."""
        self.changes = tuple(changes)
        super().__init__("this changed since you looked: " + "; ".join(self.changes))


class AlreadyDecided(LedgerError):
    """The review was decided by somebody else, or the key has decided something else."""


class AlreadyClaimed(LedgerError):
    """Another person has claimed the thread."""


class NothingToApprove(LedgerError):
    """The review holds no draft; write the answer yourself."""


class CannotLeave(LedgerError):
    """The gate will not let this text out even though a person stands behind it."""


class CannotBeDone(LedgerError):
    """A change cannot be carried out, or its action not be ended, as things stand; the message says why."""


class CannotDraw(LedgerError):
    """A week's sample for audit cannot be drawn as asked; the message says why, and what can be."""


class CannotJudge(LedgerError):
    """A verdict of an auditor is not taken: it contradicts itself, comes twice, or there is nothing to judge any more."""


class CannotReview(LedgerError):
    """A periodic review is not open, or its closing names no decision or no owner."""


class NotYetAllowed(LedgerError):
    """A policy release, or a family, may not go further yet; the message says what is missing and from whom."""


class PacketUnreadable(LedgerError):
    """A packet's JSON has unknown, missing or mistyped fields; in lane 3 a draft is such a field."""


class PacketRefused(LedgerError):
    """The lint found the packet wanting; ``findings`` says where."""

    def __init__(self, findings: Sequence[object]) -> None:
        """``findings`` are ``packet_lint.LintFinding``s."""
        self.findings = tuple(findings)
        super().__init__("; ".join(str(f) for f in self.findings))
