"""Tells mail that a machine wrote from mail that a person wrote, and reads what a mail system reports of a letter."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from desk.mailbox.arriving import Arrived
from tools.mail_bounds import BLOCK_LONGEST

_ID = re.compile(r"<[^<>\s]+>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_SYSTEM_SENDERS = frozenset({"mailer-daemon", "postmaster"})
_BULK = frozenset({"bulk", "junk", "list", "auto_reply"})
_LIST_HEADERS = ("List-Id", "List-Unsubscribe", "List-Post", "List-Help", "List-Owner", "List-Archive")
_AUTO_HEADERS = ("X-Auto-Response-Suppress", "X-Autoreply", "X-Autorespond", "X-Autoresponder")


def why_automatic(mail: Arrived, ours: Collection[str]) -> str:
    """By which sign a mail is known as a machine's; empty where it shows none. ``ours`` are our own addresses.

    Signs are headers alone (RFC 3834 and what programs set in practice), never words: a person may write anything.
    """
    said = _first(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    if said and said != "no":
        return "auto_submitted"
    if any(path.strip() == "<>" for path in mail.values("Return-Path")):
        return "null_return_path"
    if mail.mail.sender in ours or mail.sender in ours:
        return "own_address"
    if mail.sender.partition("@")[0] in _SYSTEM_SENDERS:
        return "mail_system"
    if _first(mail, "Precedence").strip().lower() in _BULK:
        return "precedence"
    if any(mail.values(header) for header in _LIST_HEADERS):
        return "list"
    if any(value.strip().lower() not in ("", "no", "none") for h in _AUTO_HEADERS for value in mail.values(h)):
        return "auto_response"
    return ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail system reports of a mail (RFC 3464)."""

    about: tuple[str, ...]
    """Message-IDs it may be about, each as ``<left@right>``: those of what it returns, then those it answers."""
    failed: bool
    """True where it says for good that the mail did not arrive; False for a delay, and where it does not say."""
    status: str
    """The enhanced status code, such as ``5.1.1``; empty where none is told."""


def report_of(mail: Arrived) -> Report | None:
    """The report that a mail is; None where it is none."""
    blocks = [block for part in _parts(mail, "message/delivery-status") for block in _children(part)]
    gone = bool(mail.values("X-Failed-Recipients"))
    if not blocks and not gone:
        return None
    actions = {str(block.get("Action", "")).strip().lower() for block in blocks}
    codes = [m.group() for block in blocks if (m := _STATUS.search(str(block.get("Status", ""))))]
    returned = [one for head in _returned(mail) for one in _ID.findall(str(head.get("Message-ID", "")))]
    about = dict.fromkeys([*returned, *(f"<{one}>" for one in reversed(mail.mail.answers))])
    failed = "failed" in actions or (gone and not actions)
    return Report(tuple(about)[:50], failed, next(iter(codes), ""))


def _returned(mail: Arrived) -> Iterator[Message]:
    for part in _parts(mail, "message/rfc822"):
        yield from _children(part)
    for part in _parts(mail, "text/rfc822-headers"):
        raw = part.get_payload(decode=True)
        if isinstance(raw, bytes):
            # Headers alone: a parser that goes on to the body reads what kind it is, however long that is.
            yield HeaderParser().parsestr(raw[:BLOCK_LONGEST].decode("ascii", errors="replace"))


def _parts(mail: Arrived, kind: str) -> Iterator[Message]:
    """The parts of a kind that belong to the mail itself, not to a mail inside it."""
    top = mail.headers.get_payload()
    if mail.headers.is_multipart() and isinstance(top, list):
        yield from (part for part in top if isinstance(part, Message) and part.get_content_type() == kind)


def _children(part: Message) -> list[Message]:
    found = part.get_payload()
    return [one for one in found if isinstance(one, Message)] if isinstance(found, list) else []


def _first(mail: Arrived, header: str) -> str:
    return next(iter(mail.values(header)), "")
