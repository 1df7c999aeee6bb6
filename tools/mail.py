"""Mail as tickets: headers, bodies in plain text or HTML, quotes, attachments, and threads put together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.header import decode_header
from email.message import Message as Part
from email.utils import getaddresses, parseaddr, parsedate_to_datetime

from tools.directory_files import Place
from tools.errors import BadRecord
from tools.html_text import html_to_text
from tools.mail_bounds import WORDS_MOST, TooMuchMail, take_apart
from tools.ticket import Message, Ticket
from tools.ticket_text import clean, decode, folded_address, in_utc_range, mark_quotes


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail."""

    message_id: str
    answers: tuple[str, ...]
    """Message ids of the mails it belongs under, the oldest first."""
    subject: str
    sender: str
    sender_name: str
    recipients: tuple[str, ...]
    text: str
    attachments: tuple[str, ...]
    at: datetime | None
    notes: tuple[str, ...]


def split_mbox(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """``(line, mail)`` for each mail of an mbox, the line being that of its ``From `` separator."""
    # A paragraph may begin with "From ": a separator stands at the start or after an empty line.
    found = [
        m.span()
        for m in re.finditer(rb"(?:\A|(?<=\n))From [^\r\n]*(?:\r?\n|\Z)", raw)
        if m.start() == 0 or raw[max(0, m.start() - 4) : m.start()].endswith((b"\n\n", b"\n\r\n"))
    ]
    ends = [start for start, _ in found[1:]] + [len(raw)] * bool(found)
    line, at = 1, 0
    for (start, begin), end in zip(found, ends, strict=True):
        line += raw.count(b"\n", at, start)
        at = start
        yield line, re.sub(rb"(?m)^>(>*From )", rb"\1", raw[begin:end])


def read_mail(raw: bytes, place: Place) -> Mail:
    """One mail from its bytes. BadRecord where it has neither sender nor words, or cannot be taken apart."""
    try:
        parsed = take_apart(raw)
        body, attachments, notes = _Body().read(parsed)
        mail = Mail(
            message_id=_ids(_header(parsed, "Message-ID"))[0] if _ids(_header(parsed, "Message-ID")) else "",
            answers=(*_ids(_header(parsed, "References")), *_ids(_header(parsed, "In-Reply-To"))),
            subject=_header(parsed, "Subject"),
            sender=folded_address(parseaddr(_header(parsed, "From"))[1]),
            sender_name=parseaddr(_header(parsed, "From"))[0],
            recipients=tuple(folded_address(a) for _, a in getaddresses([_header(parsed, "To")]) if "@" in a),
            text=body,
            attachments=attachments,
            at=_date(_header(parsed, "Date")),
            notes=notes,
        )
    except BadRecord:
        raise
    except TooMuchMail as error:
        raise place.bad(f"the mail is more than is taken apart: {error}", "Read it in a mail program") from error
    except Exception as error:
        # The standard parser raises many kinds on hostile mail; all of them mean the same here.
        raise place.bad(f"the mail cannot be taken apart ({type(error).__name__})", "Export it again") from error
    if mail.at is None and _header(parsed, "Date"):
        mail = replace(mail, notes=(*mail.notes, "its date could not be read"))
    reply_to = folded_address(parseaddr(_header(parsed, "Reply-To"))[1])
    if reply_to and reply_to != mail.sender:
        mail = replace(mail, notes=(*mail.notes, f"replies were asked to go to another address, {reply_to}"))
    if not mail.sender and not mail.text:
        raise place.bad("it is no mail: neither sender nor text", "Check the file")
    if not (mail.text or mail.subject or mail.attachments):
        raise place.bad("the mail is empty", "Nothing to do, unless it was cut in the export")
    return mail


def files_of(raw: bytes) -> tuple[tuple[str, bytes], ...]:
    """What came along with a mail: the names that ``read_mail`` gives, in its order, each with its bytes, unopened."""
    body = _Body()
    body.read(take_apart(raw))
    return tuple((name, _bytes_of(part)) for name, part in body.files)


def _bytes_of(part: Part) -> bytes:
    inner = part.get_payload()
    if part.is_multipart() and isinstance(inner, list):
        return b"".join(one.as_bytes() for one in inner if isinstance(one, Part))
    raw = part.get_payload(decode=True)
    return raw if isinstance(raw, bytes) else str(inner).encode("utf-8", errors="replace")


def tickets_of(mails: Iterator[tuple[Place, Mail]]) -> Iterator[tuple[Place, Ticket | BadRecord]]:
    """The mails as tickets, one a thread, in the order of each thread's first mail."""
    threads: dict[str, list[tuple[Place, Mail]]] = {}
    root_of: dict[str, str] = {}
    problems: list[tuple[Place, BadRecord]] = []
    for n, (place, mail) in enumerate(mails, 1):
        own = mail.message_id or f"{re.sub(r'[^A-Za-z0-9]+', '-', place.file).strip('-')}-{n}"
        if own in root_of and any(m.message_id == own for _, m in threads.get(root_of[own], ())):
            problems.append((place, place.bad(f"the mail {own[:80]} stands here twice", "Remove the second", "id")))
            continue
        root = next((root_of[a] for a in mail.answers if a in root_of), mail.answers[0] if mail.answers else own)
        for known in (own, *mail.answers):
            root_of.setdefault(known, root)
        threads.setdefault(root, []).append((place, mail))
    for root, found in threads.items():
        yield found[0][0], _ticket(root, [mail for _, mail in found])
    yield from problems


def _ticket(root: str, mails: list[Mail]) -> Ticket:
    first = mails[0]
    ours = {a for a in first.recipients if a != first.sender}
    domains = {a.rpartition("@")[2] for a in ours} - {first.sender.rpartition("@")[2]}

    def message(mail: Mail) -> Message:
        # Who answers from where the customer wrote to is one of us; everybody else's words are assessed.
        from_us = mail.sender in ours or mail.sender.rpartition("@")[2] in domains
        text = mail.text or mail.subject
        return Message("agent" if from_us else "customer", text, mail.attachments, mail.at)

    notes = dict.fromkeys(note for mail in mails for note in mail.notes)
    return Ticket(
        id=root,
        channel="email",
        subject=first.subject if first.text else "",
        requester_email=first.sender,
        requester_name=first.sender_name,
        verified=False,
        account_id=None,
        messages=tuple(message(mail) for mail in mails),
        notes=tuple(notes),
    )


class _Body:
    """Takes a mail's parts apart: the words, and the names of what was not read."""

    def __init__(self) -> None:
        self.files: list[tuple[str, Part]] = []
        """Name and part of what was not read."""
        self._notes: list[str] = []
        self._words = 0

    def read(self, mail: Part) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        text = self._part(mail)
        return mark_quotes(text.strip()), tuple(name for name, _ in self.files), tuple(dict.fromkeys(self._notes))

    def _part(self, part: Part) -> str:
        kind = part.get_content_type()
        name = clean(str(part.get_filename() or "")).strip()
        if kind == "message/rfc822":
            self.files.append((name or "a forwarded mail", part))
            return ""
        children = part.get_payload()
        if part.is_multipart() and isinstance(children, list):
            texts = [(c.get_content_type(), self._part(c)) for c in children if isinstance(c, Part)]
            if kind == "multipart/alternative":
                plain = [t for k, t in texts if k == "text/plain" and t.strip()]
                return plain[0] if plain else next((t for _, t in reversed(texts) if t.strip()), "")
            return "\n\n".join(t for _, t in texts if t.strip())
        disposition = str(part.get("Content-Disposition", "")).strip().casefold()
        if name or disposition.startswith("attachment") or not kind.startswith("text/"):
            self.files.append((name or f"unnamed {kind}", part))
            return ""
        text = self._decoded(part)
        if kind != "text/html":
            return text
        shown, hidden = html_to_text(text)
        if hidden:
            self._notes.append(f"text that the HTML hides was left out: “{hidden[:300]}”")
        return shown

    def _decoded(self, part: Part) -> str:
        raw = part.get_payload(decode=True)
        self._words += len(raw) if isinstance(raw, bytes) else 0
        if self._words > WORDS_MOST:
            raise TooMuchMail(f"it holds more than {WORDS_MOST:,} bytes of words")
        if not isinstance(raw, bytes):
            return clean(str(part.get_payload()))
        charset = part.get_content_charset() or "utf-8"
        try:
            return _lines(clean(raw.decode(charset)))
        except (LookupError, UnicodeDecodeError):
            text, _ = decode(raw, "the mail's text")
            self._notes.append(f"its text is not {charset[:40]}, as it says")
            return _lines(clean(text))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _header(mail: Part, name: str) -> str:
    raw = mail.get(name)
    if raw is None:
        return ""
    try:
        parts = decode_header(raw)
    except Exception:
        parts = [(str(raw), None)]
    text = ""
    for value, charset in parts:
        if isinstance(value, str):
            text += value
            continue
        try:
            text += value.decode(charset or "utf-8")
        except (LookupError, UnicodeDecodeError):
            text += value.decode("cp1252", errors="replace")
    return " ".join(clean(text).split())


def _ids(header: str) -> list[str]:
    return [found.strip() for found in re.findall(r"<([^<>]+)>", header)]


def _date(header: str) -> datetime | None:
    try:
        return in_utc_range(parsedate_to_datetime(header)) if header else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
