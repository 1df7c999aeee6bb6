"""Which ticket a mail belongs to: by the Message-IDs of our own letters, else by those of the sender's own mails."""

from __future__ import annotations

from dataclasses import dataclass

from desk.channels.message_ids import MessageIds, looks_ours
from desk.mailbox.arriving import Arrived
from desk.mailbox.senders import Sender
from ledger.errors import UnknownTicket
from ledger.history import History, TicketRecord
from ledger.letters import Delivery
from ledger.outbox import PostLedger
from tools.ticket_text import folded_address

MOST_REFERENCES = 50
"""How many Message-IDs of one mail are looked up: its nearest ones."""


@dataclass(frozen=True, slots=True)
class Belongs:
    """Where a mail belongs."""

    ticket: str
    held: TicketRecord | None
    """The ticket as it stands; None where the mail opens it."""
    from_elsewhere: bool = False
    """True where it answers a letter of ours and comes from another address than the letter went to."""


class Threads:
    """Finds tickets by Message-IDs."""

    __slots__ = ("_history", "_ids", "_post")

    def __init__(self, history: History, post: PostLedger, ids: MessageIds) -> None:
        """``ids`` are those of the channel that sends."""
        self._history = history
        self._post = post
        self._ids = ids

    def of(self, mail: Arrived, sender: Sender) -> Belongs:
        """The ticket that a mail belongs to.

        An answer to a letter of ours belongs to that letter's ticket: its Message-ID can only be had from the letter. A
        mail under an earlier mail belongs to that one's ticket only where both are from the same address and equally
        verified, since anybody may guess or have seen such an id. All others open a ticket of their own.
        """
        answered = tuple(reversed(mail.mail.answers))[:MOST_REFERENCES]
        for one in answered:
            letter = self.letter(f"<{one}>")
            held = self._ticket(letter.letter.ticket) if letter else None
            if held is not None:
                went = self._history.mailed_to(letter) if letter else ""
                return Belongs(held.id, held, folded_address(went or held.recipient) != sender.address)
        for one in answered:
            held = self._ticket(self._named(one, sender))
            if held is not None:
                return Belongs(held.id, held)
        opened = self._named(mail.mail.message_id or mail.key, sender)
        return Belongs(opened, self._ticket(opened))

    def letter(self, message_id: str) -> Delivery | None:
        """Our own letter of that Message-ID, which is checked by our key; None where it is none."""
        if not looks_ours(message_id):
            return None
        found = self._history.letter_sent_as(message_id)
        if found is not None:
            return found if self._ids.is_of(message_id, found.reply_key) else None
        # A post room that was killed, or heard nothing, has not written down under which id the letter went.
        doubts = (*self._post.in_hand(), *self._post.unknowns())
        return next((d for d in doubts if not d.provider_ref and self._ids.is_of(message_id, d.reply_key)), None)

    def _named(self, message_id: str, sender: Sender) -> str:
        """The ticket that a mail of this id and sender opens. Keyed: nobody can make a mail that opens another's."""
        shown = "verified" if sender.verified else "unverified"
        return f"mail-{self._ids.mac('ticket', message_id, sender.address, shown)[:20]}"

    def _ticket(self, ticket: str) -> TicketRecord | None:
        """The ticket as it stands; None for an unknown one, and for one whose words were erased."""
        try:
            held = self._history.ticket(ticket)
        except UnknownTicket:
            return None
        return None if held.erased else held
