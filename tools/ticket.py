"""One ticket, as it comes from a file or a helpdesk, whatever its fields are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from typing import Literal, TypeAlias

from tools.directory_files import Place
from tools.errors import BadRecord
from tools.html_text import html_to_text, looks_like_html
from tools.lookups.enquiry import Request
from tools.ticket_text import clean, folded_address, in_utc_range, own_words

Role: TypeAlias = Literal["customer", "assistant", "agent"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a thread."""

    role: Role
    text: str
    """Whole, as it was written; quoted lines begin with ``>``."""
    attachments: tuple[str, ...] = ()
    """Names of what came along; nobody has read it."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. All of it but ``verified`` is written by strangers."""

    id: str
    channel: str
    subject: str
    requester_email: str
    requester_name: str
    verified: bool
    """True only where the source says outright that it authenticated the requester."""
    account_id: str | None
    """The account the ticket names: a claim."""
    messages: tuple[Message, ...]
    """Oldest first; at least one is the customer's."""
    families: tuple[str, ...] = ()
    """The source's own categories and tags: a hint."""
    account_context: object = None
    """What the source hands over about the account, as it came."""
    notes: tuple[str, ...] = ()
    """What was done to it on the way in, for people: ``read as Windows-1252``."""

    @property
    def words(self) -> str:
        """What the customer wrote: the subject, then their messages without quotes, oldest first."""
        said = (own_words(m.text) for m in self.messages if m.role == "customer")
        return "\n\n".join(part for part in (self.subject, *said) if part)

    @property
    def unread(self) -> tuple[str, ...]:
        """All attachments of the customer's."""
        return tuple(name for m in self.messages if m.role == "customer" for name in m.attachments)

    def request(self) -> Request:
        """Who asks, for the lookups."""
        return Request(self.requester_email, self.requester_name, self.verified, self.account_id, self.unread, self.id)


# ── what fields may be called ───────────────────────────────────────────────────────────────────────────────

_WORDS = {
    "id": (
        "id ticket_id ticketid ticket ticket_number case case_id case_number number issue issue_id conversation_id "
        "reference ref key"
    ),
    "subject": "subject title headline summary",
    "text": (
        "text body message description comment content question body_text plain_body plain_text first_message "
        "initial_message customer_message latest_comment request details"
    ),
    "html": "html body_html html_body description_html",
    "email": (
        "email requester_email customer_email from_email sender_email user_email contact_email from requester sender "
        "customer reporter submitter user contact"
    ),
    "name": "name requester_name customer_name from_name sender_name user_name contact_name full_name",
    "at": "created created_at date created_on created_date timestamp sent_at received_at opened_at time at",
    "account": (
        "account_id account customer_id company_id organisation_id organization_id company organisation organization "
        "org tenant"
    ),
    "families": "tags tag category categories family families issue_family product_area",
    "verified": "verified requester_verified is_verified authenticated identity_verified",
    "thread": "turns messages thread conversation comments history",
    "attachments": "attachments attachment attached files",
    "channel": "channel via medium",
    "context": "account_context context account_info account_facts customer_context",
    "role": "role author_type speaker sender_type type",
}
NAMES: Mapping[str, tuple[str, ...]] = {field: tuple(words.split()) for field, words in _WORDS.items()}
"""By meaning: the plain names a field may have, the likeliest first."""

_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("customer", "user", "end_user", "requester", "client", "visitor", "human", "lead"), "customer"),
    **dict.fromkeys(("assistant", "bot", "ai", "chatbot", "virtual_assistant"), "assistant"),
    **dict.fromkeys(("agent", "support", "admin", "staff", "operator", "employee", "representative"), "agent"),
}


def plain_name(name: object) -> str:
    """A field's name as it is compared: lower case, words joined by underscores."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name))
    return re.sub(r"[^a-z0-9]+", "_", spaced.casefold()).strip("_")


@dataclass(frozen=True, slots=True)
class Fields:
    """A row or object, read by what its fields mean."""

    raw: Mapping[str, object]
    """By plain name."""

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Fields:
        """The first of several fields that have the same plain name counts."""
        raw: dict[str, object] = {}
        for name, value in row.items():
            raw.setdefault(plain_name(name), value)
        return cls(raw)

    def get(self, field: str) -> object:
        """The first field of that meaning that holds anything; None where none does."""
        return next((self.raw[name] for name in NAMES[field] if self.raw.get(name) not in (None, "", [], {})), None)

    def text(self, field: str) -> str:
        """The same as one line of text; empty where it is not text."""
        value = self.get(field)
        return " ".join(clean(str(value)).split()) if isinstance(value, str | int | float) else ""

    def ignored(self, *fields: str) -> tuple[str, ...]:
        """The names that mean none of these."""
        known = {name for field in fields or NAMES for name in NAMES[field]}
        return tuple(name for name in self.raw if name not in known)


def ticket_of(row: Mapping[str, object], place: Place, *, channel: str = "file") -> tuple[Ticket, tuple[str, ...]]:
    """``(ticket, ignored fields)`` of one row or object. BadRecord names the place and what to do."""
    if len(row) == 1 and plain_name(next(iter(row))) == "ticket":
        inner = next(iter(row.values()))
        row = inner if isinstance(inner, Mapping) else row
    fields = Fields.of(row)
    notes: list[str] = []
    messages = _thread(fields, place, notes)
    subject = fields.text("subject")
    name, email = _requester(fields)
    doubts = _doubts(fields, email)
    notes += doubts
    account = fields.get("account")
    context = fields.get("context")
    if isinstance(account, Mapping):
        # Some helpdesks nest the account: its own id is the claim, the rest is what they know of it.
        context = context if context is not None else account
        account = Fields.of(account).raw.get("id") or Fields.of(account).get("account")
    if not any(m.role == "customer" and (m.text.strip() or m.attachments) for m in messages):
        if not subject:
            raise place.bad("no text of the customer's is in it", "Give it a text, body, message or description")
        messages.append(Message("customer", subject))
        notes.append("the text is empty; the subject stands for it")
        subject = ""
    ticket_id = fields.text("id")
    if not ticket_id:
        ticket_id = f"{re.sub(r'[^A-Za-z0-9]+', '-', place.file).strip('-')}-{place.line or 1}"
        notes.append("it has no id; named after its place in the file")
    ticket = Ticket(
        id=ticket_id,
        channel=fields.text("channel") or channel,
        subject=subject,
        requester_email=email,
        requester_name=name,
        verified=is_yes(fields.get("verified")) and not doubts,
        account_id=clean(str(account)).strip() if isinstance(account, str | int) and str(account).strip() else None,
        messages=tuple(messages),
        families=_words_of(fields.get("families")),
        account_context=context,
        notes=tuple(notes),
    )
    return ticket, fields.ignored()


def is_yes(value: object) -> bool:
    """True only for an outright yes."""
    return value is True or (isinstance(value, str) and value.strip().casefold() in ("yes", "true", "1", "verified"))


def _requester(fields: Fields) -> tuple[str, str]:
    said = fields.get("email")
    if isinstance(said, Mapping):
        inner = Fields.of(said)
        return inner.text("name") or fields.text("name"), folded_address(inner.text("email"))
    for name in NAMES["email"]:
        value = fields.raw.get(name)
        shown, address = parseaddr(clean(value)) if isinstance(value, str) else ("", "")
        if "@" in address:
            return fields.text("name") or shown, folded_address(address)
    return fields.text("name") or fields.text("email"), ""


def _doubts(fields: Fields, email: str) -> tuple[str, ...]:
    """Why nobody can say to whom a yes to ``verified`` belongs."""
    told: list[str] = []
    for value in (fields.raw.get(name) for name in NAMES["email"]):
        inner = Fields.of(value).raw if isinstance(value, Mapping) else {"email": value}
        told += [clean(found) for name in NAMES["email"] if isinstance(found := inner.get(name), str)]
    found = {folded_address(address) for _, address in getaddresses(told) if "@" in address}
    doubts = []
    if len(found) > 1:
        doubts.append(f"it names several addresses ({', '.join(sorted(found))[:200]}); read as unverified")
    if not email.isascii():
        doubts.append("its address is not plain ASCII; read as unverified")
    return tuple(doubts)


def _thread(fields: Fields, place: Place, notes: list[str]) -> list[Message]:
    found: list[Message] = []
    turns = fields.get("thread")
    if isinstance(turns, Sequence) and not isinstance(turns, str):
        found += [message for turn in turns if (message := _turn(turn, place, notes))]
    elif turns is not None:
        raise place.bad("its thread is not a list", "Write it as [{role, text}, …]")
    text = _text(fields, place, notes)
    attachments = _attached(fields)
    told = next((n for n, m in enumerate(found) if text and m.role == "customer" and m.text == text), None)
    if told is not None:
        # Helpdesks repeat the customer's own message beside the thread; what came along with it is kept.
        message = found[told]
        extra = tuple(a for a in attachments if a not in message.attachments)
        found[told] = replace(message, attachments=message.attachments + extra)
    elif text or attachments:
        found.append(Message("customer", text, attachments, _moment(fields.get("at"), notes)))
    return found


def _turn(turn: object, place: Place, notes: list[str]) -> Message | None:
    if isinstance(turn, str):
        return Message("customer", clean(turn)) if turn.strip() else None
    if not isinstance(turn, Mapping):
        raise place.bad("a turn of its thread is neither text nor an object", "Write it as {role, text}")
    fields = Fields.of(turn)
    said = plain_name(fields.get("role") or "")
    role = _ROLES.get(said, "customer")
    if said not in _ROLES:
        # Read as the customer's, it is assessed; read as ours, it would be believed.
        notes.append(f"the role {said[:40]!r} is not known; read as the customer's" if said else "a turn has no role")
    text = _text(fields, place, notes)
    attachments = _attached(fields)
    return Message(role, text, attachments, _moment(fields.get("at"), notes)) if text or attachments else None


def _text(fields: Fields, place: Place, notes: list[str]) -> str:
    value = fields.get("text")
    html = fields.get("html")
    if value is None and isinstance(html, str):
        return _from_html(clean(html), notes)
    if value is None:
        return ""
    if not isinstance(value, str | int | float):
        raise place.bad("its text is not text", "Write it as a string")
    text = clean(str(value))
    if text != str(value):
        notes.append("characters that no store can hold were replaced")
    return _from_html(text, notes) if looks_like_html(text) else text.strip()


def _from_html(html: str, notes: list[str]) -> str:
    text, hidden = html_to_text(html)
    notes.append("HTML was read as text")
    if hidden:
        notes.append(f"text that the HTML hides was left out: “{hidden[:300]}”")
    return text


def _attached(fields: Fields) -> tuple[str, ...]:
    """The names of what came along. A shape that nobody knows counts as a file without a name, never as none."""
    found: list[str] = []
    for value in (fields.raw.get(name) for name in NAMES["attachments"]):
        told = value.strip() if isinstance(value, str) else value
        if told:
            found += _words_of((told,) if isinstance(told, Mapping) else told) or ("unnamed",)
    return tuple(found)


def _words_of(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        parts: Iterable[object] = re.split(r"[,;|\n]", value)
    elif isinstance(value, Sequence):
        parts = value
    else:
        return ()
    named = (Fields.of(p).raw if isinstance(p, Mapping) else p for p in parts)
    words = (
        next((n[k] for k in ("name", "filename", "file_name", "title", "url") if n.get(k)), "unnamed")
        if isinstance(n, dict)
        else n
        for n in named
    )
    return tuple(s for w in words if (s := " ".join(clean(str(w)).split())))


def _moment(value: object, notes: list[str]) -> datetime | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        read = datetime.fromisoformat(str(value).strip())
        return in_utc_range(read)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return in_utc_range(parsedate_to_datetime(str(value)))
    except (ValueError, TypeError, IndexError, OverflowError):
        notes.append(f"its date {str(value)[:40]!r} could not be read")
        return None


def duplicate(ticket: Ticket, place: Place, first: Place) -> BadRecord:
    """The problem of a second ticket with the same id."""
    where = f"line {first.line}" if first.line else first.file
    return place.bad(f"the id {ticket.id[:80]} stands in {where} already", "Give it an id of its own", "id")
