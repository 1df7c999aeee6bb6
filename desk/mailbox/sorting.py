"""What becomes of one mail: a message for the worker, a note of what a machine wrote, or a letter that came back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from desk.channels.message_ids import MessageIds, looks_ours, well_formed
from desk.mailbox.arriving import LONGEST_TEXT, Arrived, arrived, key_of
from desk.mailbox.attachments import Attachments
from desk.mailbox.automatic import Report, report_of, why_automatic
from desk.mailbox.quotes import without_repeats
from desk.mailbox.senders import Sender, Senders
from desk.mailbox.threads import Belongs, Threads
from ledger.events import Kind
from ledger.history import History
from ledger.intake import IncomingMessage, Intake, NotedMail
from ledger.outbox import PostLedger
from ledger.store import Store
from tools.errors import ToolError
from tools.mail import files_of
from tools.mail_bounds import TooMuchMail

HOUR = timedelta(hours=1)
_NOTED_TEXT = 20_000
"""Characters that are kept of a machine's mail."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much from one side is still a person's writing."""

    new_tickets_an_hour: int
    messages_an_hour: int


@dataclass(frozen=True, slots=True)
class Sorted:
    """What became of a mail."""

    what: str
    """``filed``, ``again`` where it was filed before, ``noted``, ``came_back``, or ``unread`` where a person was told that
    it could not be read."""
    ticket: str | None
    why: str = ""


class Sorting:
    """Sorts mails, one at a time. Doing one again does nothing new."""

    def __init__(
        self,
        store: Store,
        ids: MessageIds,
        senders: Senders,
        attachments: Attachments,
        ours: Collection[str],
        limits: Limits,
        file: Callable[[IncomingMessage], object],
    ) -> None:
        """``ours`` are our own addresses; ``file`` returns once a message is filed for good."""
        self._store = store
        self._history, self._intake, self._post = History(store), Intake(store), PostLedger(store)
        self._ids, self._threads = ids, Threads(History(store), self._post, ids)
        self._senders, self._attachments = senders, attachments
        self._ours, self._limits, self._file = frozenset(ours), limits, file

    def sort(self, raw: bytes, at: datetime | None) -> Sorted:
        """Takes one mail in; ``at`` is when our server received it. Whatever it raises, the mail may be sorted again."""
        try:
            mail = arrived(raw)
        except (ToolError, ValueError, LookupError, RecursionError) as error:
            # The parser's reason may quote the mail; its kind says enough.
            too_much = error.__cause__ if isinstance(error.__cause__, TooMuchMail) else None
            why = str(too_much or f"it is no mail that can be taken apart ({type(error).__name__})")
            return self.unread(raw, at, why)
        sender = self._senders.of(mail)
        belongs = self._threads.of(mail, sender)
        if (report := report_of(mail)) is not None and (done := self._came_back(report)) is not None:
            return done
        if why := self._automatic(mail):
            return self._note(belongs.held.id if belongs.held else None, mail, why)
        if self._history.holds(belongs.ticket, mail.key):
            return Sorted("again", belongs.ticket)
        if (loud := self._too_much(belongs, sender)) is not None:
            return self._note(loud, mail, "too_much", call=True)
        if len(mail.mail.text) > LONGEST_TEXT:
            return self.unread(raw, at, f"its text is longer than {LONGEST_TEXT:,} characters")
        self._file(self._message(mail, sender, belongs, at))
        return Sorted("filed", belongs.ticket, sender.why)

    def unread(self, raw: bytes, at: datetime | None, why: str, *, whole: bool = True) -> Sorted:
        """Files, for a person, that a mail came which was not read, and keeps it as a file; ``whole`` is False where
        these are only its first bytes, which are not kept. A machine's mail is only recorded, as ever."""
        mail = _as_far_as_it_goes(raw)
        key, sender = (mail.key, mail.sender) if mail else (key_of(raw), "")
        ticket = f"mail-{self._ids.mac('unread', key)[:20]}"
        if mail is not None and (reason := self._automatic(mail)):
            return self._note(None, mail, reason)
        if self._history.holds(ticket, key):
            return Sorted("again", ticket)
        loud = self._loud(sender, False) if mail is not None and sender else None
        if mail is not None and loud is not None:
            return self._note(loud, mail, "too_much", call=True)
        files = (("the-mail.eml", raw),) if whole else ()
        kept = self._attachments.keep(ticket, key, files) or ("the mail itself (it is still in the mailbox)",)
        told = f"(A mail came in that Lanewise did not read: {why}. A person has to read it.)"
        beginning = f"\n\n{mail.mail.text[:LONGEST_TEXT]}" if mail else ""
        self._file(
            IncomingMessage(
                ticket=ticket,
                key=key,
                channel="email",
                subject=mail.mail.subject if mail else "A mail that was not read",
                requester_email=sender,
                requester_name=mail.mail.sender_name if mail else "",
                verified=False,
                account_id=None,
                recipient=sender,
                text=told + beginning,
                attachments=kept,
                received_at=at,
            )
        )
        return Sorted("unread", ticket, why)

    def _message(self, mail: Arrived, sender: Sender, belongs: Belongs, at: datetime | None) -> IncomingMessage:
        text, subject = mail.mail.text, mail.mail.subject
        if belongs.held is not None and text:
            text = without_repeats(text, [m.text for m in self._history.thread(belongs.ticket)])
        notes = list(mail.mail.notes)
        if belongs.from_elsewhere:
            notes.append("this mail came from another address than our letter went to; its sender is not verified")
        message_id = f"<{mail.mail.message_id}>"
        return IncomingMessage(
            ticket=belongs.ticket,
            key=mail.key,
            channel="email",
            subject=subject if text else "",
            requester_email=sender.address,
            requester_name=mail.mail.sender_name,
            verified=sender.verified and not belongs.from_elsewhere,
            account_id=sender.account_id,
            recipient=sender.address,
            text=text or subject or "(The mail holds no words.)",
            attachments=self._attachments.keep(belongs.ticket, mail.key, self._files(mail)),
            received_at=at,
            context={"note": "; ".join(notes)} if notes else None,
            message_id=message_id if well_formed(message_id) else "",
        )

    def _files(self, mail: Arrived) -> Sequence[tuple[str, bytes]]:
        return files_of(mail.raw) if mail.mail.attachments else ()

    def _automatic(self, mail: Arrived) -> str:
        own = f"<{mail.mail.message_id}>"
        if looks_ours(own) and self._threads.letter(own) is not None:
            return "own_letter"
        return why_automatic(mail, self._ours)

    def _note(self, ticket: str | None, mail: Arrived, why: str, *, call: bool = False) -> Sorted:
        told = NotedMail(mail.key, why, mail.sender, mail.mail.subject[:1000], mail.mail.text[:_NOTED_TEXT])
        self._intake.note(ticket, told, call=call)
        return Sorted("noted", ticket, why)

    def _came_back(self, report: Report) -> Sorted | None:
        """What a report did to a letter of ours; None where it is about none, or says nothing final."""
        letter = next((d for one in report.about if (d := self._threads.letter(one)) is not None), None)
        if letter is None or not report.failed:
            return None
        self._post.came_back(letter.reply_key, f"came back {report.status}".rstrip())
        return Sorted("came_back", letter.letter.ticket, report.status)

    def _too_much(self, belongs: Belongs, sender: Sender) -> str | None:
        """The ticket on which it is noted that more comes than a person writes; None where all is well."""
        since = self._store.now() - HOUR
        if belongs.held is not None:
            wrote = [e for e in self._history.timeline(belongs.ticket) if e.kind is Kind.CUSTOMER_WROTE]
            lately = sum(e.at >= since for e in wrote)
            return belongs.ticket if lately >= self._limits.messages_an_hour else None
        return self._loud(sender.address, sender.verified)

    def _loud(self, address: str, verified: bool) -> str | None:
        opened = self._history.opened_since(address, self._store.now() - HOUR, verified=verified)
        return opened[-1] if len(opened) >= self._limits.new_tickets_an_hour else None


def _as_far_as_it_goes(raw: bytes) -> Arrived | None:
    try:
        return arrived(raw)
    except Exception:  # whatever it is that cannot be read, a person is told of the mail
        return None
