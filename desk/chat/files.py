"""A file that a customer sends in the chat: kept for a person, read by nobody here."""

from __future__ import annotations

from fastapi import Request

from desk.chat.refusals import ChatRefused
from desk.mailbox.attachments import Attachments, one_line
from ledger.words import digest_of

KINDS = frozenset(
    {
        "csv",
        "doc",
        "docx",
        "eml",
        "gif",
        "heic",
        "jpeg",
        "jpg",
        "log",
        "odt",
        "ods",
        "pdf",
        "png",
        "txt",
        "webp",
        "xlsx",
    }
)
"""The endings that are taken: pictures, papers and tables; nothing that a click would run, and no archive."""
MEGABYTE = 1_000_000
MOST_MEGABYTES = 20
"""The most that any settings may allow for one file."""
OF_ONE_CONVERSATION = 5
"""How many of the largest files one conversation may hold, counted by their bytes."""
NAME_LIMIT = 200


async def file_of(request: Request) -> bytes:
    """The call's body, which is the file itself. ChatRefused where it is longer than any file may be."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MOST_MEGABYTES * MEGABYTE:
            raise ChatRefused(413, "too_long", f"a file may have {MOST_MEGABYTES} MB at most")
    return bytes(found)


def check_file(name: str, what: bytes, megabytes: int, held: int, room: int) -> None:
    """ChatRefused says why a file is not taken: its kind, its size, or that there is no room. ``held`` is what the
    conversation has sent already, ``room`` what the house has left, both in bytes."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if not megabytes:
        raise ChatRefused(409, "no_files", "files cannot be sent here; write what is in it")
    if ending not in KINDS:
        raise ChatRefused(415, "kind", f"files of this kind cannot be sent here; these can: {', '.join(sorted(KINDS))}")
    if not what:
        raise ChatRefused(400, "bad_call", "the file is empty")
    if len(what) > megabytes * MEGABYTE:
        raise ChatRefused(413, "too_long", f"a file may have {megabytes} MB at most")
    if held + len(what) > OF_ONE_CONVERSATION * megabytes * MEGABYTE:
        raise ChatRefused(413, "too_many", "this conversation holds as many files as it may")
    if len(what) > room:
        raise ChatRefused(409, "no_room", "there is no room for files just now; write what is in it")


def keep_file(attachments: Attachments, ticket: str, key: str, name: str, what: bytes) -> tuple[str, ...]:
    """Keeps it, and returns what a person is told of it. OSError."""
    return attachments.keep(ticket, f"chat-{digest_of(key)[:32]}", [(name, what)])


def words_for(name: str) -> str:
    """What stands in the thread for it, in every language."""
    return f"\N{PAPERCLIP} {one_line(name)}"
