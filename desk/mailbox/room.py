"""The mail room: reads the mailbox again and again, files what came, and only then marks it as read."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from desk.channels.message_ids import open_message_ids
from desk.errors import DeskError, SettingsError
from desk.mailbox.attachments import Attachments
from desk.mailbox.imap import Mailbox, MailboxUnreachable, Waiting, open_mailbox
from desk.mailbox.password import ENV_NAME, MailboxPassword
from desk.mailbox.senders import Senders
from desk.mailbox.sorting import Limits, Sorted, Sorting
from desk.records import Records
from desk.settings import Settings
from ledger.errors import Busy, CannotCheck, CannotSeal, LeaseLost, StoreBroken
from ledger.intake import IncomingMessage
from tools.directory import open_directory
from tools.sandbox import company_folder
from tools.systems import Accounts
from tools.ticket_text import folded_address

TRIES = 3
"""How often a mail may break its own reading before a person is told of it instead."""
MOST_A_LOOK = 200
"""Mails of one look; the next look goes on."""
LONGEST_PAUSE = 300.0
"""Seconds between two attempts at a mailbox that cannot be reached."""
LEDGER_TROUBLE = (Busy, LeaseLost, StoreBroken, CannotSeal, CannotCheck)
"""What stops the reading of every mail, whatever it holds."""
_MEGABYTE = 1_000_000
_BEGINNING = 65_536

_log = logging.getLogger("lanewise.mail")
_log.addHandler(logging.NullHandler())  # whoever serves decides where it goes

Tell = Callable[[str], None]


class MailRoom:
    """Reads one mailbox. At least once: a mail that was filed and not marked is read again, and known by its key."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        file: Callable[[IncomingMessage], object],
        *,
        password: MailboxPassword | None = None,
        accounts: Accounts | None = None,
        tell: Tell = _log.info,
        every: float = 30.0,
    ) -> None:
        """``file`` gets each message and returns once it is filed for good (``Intake.receive``, or what calls
        ``Handler.handle``); what it raises leaves the mail unread.

        Without ``password`` it is taken out of the environment, and without ``accounts`` the company's own files are
        read. ``every`` is in seconds. SettingsError where no mailbox is named or there is no password.
        """
        if settings.imap is None:
            raise SettingsError(
                f"{settings.file or settings.workspace}: no mailbox is named. Add a [mailbox] table with host and username."
            )
        held = password or MailboxPassword.take(os.environ)
        if held is None:
            raise SettingsError(
                f"{ENV_NAME} is not in the environment. Set it to the password of mailbox {settings.imap.username!r}."
            )
        self._to, self._password, self._tell, self._every = settings.imap, held, tell, every
        self._mailbox = settings.mailbox
        company = open_directory(settings.company or company_folder()).systems() if accounts is None else None
        known = accounts if company is None else company.accounts
        assert known is not None
        self._sorting = Sorting(
            records.store,
            open_message_ids(settings.mail_key_file),
            Senders(settings.mailbox.authserv_id, known),
            Attachments(settings.workspace, settings.mailbox.attachments_megabytes * _MEGABYTE),
            {folded_address(a) for a in (settings.sender, settings.imap.username) if "@" in a},
            Limits(settings.mailbox.new_tickets_an_hour, settings.mailbox.messages_an_hour),
            file,
        )
        self._failed: Counter[int] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Looks until it is told to stop; the mail in hand is finished first. A mailbox that cannot be reached, and a
        ledger that cannot be written, are told once and tried again, more and more slowly."""
        trouble, pause = "", self._every
        while not stop.is_set():
            try:
                for _ in self.look(stop):
                    pass
                trouble, pause = "", self._every
            except (DeskError, *LEDGER_TROUBLE, OSError) as error:
                if (said := f"No mail is read for now: {error}") != trouble:
                    self._tell(said)
                trouble, pause = said, min(pause * 2, LONGEST_PAUSE)
            stop.wait(pause)

    def look(self, stop: threading.Event | None = None) -> Iterator[Sorted]:
        """Reads what waits, once, and yields what became of each mail after it was marked. Nothing is done unread.

        MailboxUnreachable; what the ledger raises (busy, broken) comes through, and the mails stay unread. A mail that
        breaks its own reading does not hold up those behind it.
        """
        with open_mailbox(self._to, self._password, self._mailbox.folder, self._mailbox.done_folder) as box:
            # What broke before comes last: should it break the connection, the others were read.
            for one in sorted(box.waiting(MOST_A_LOOK), key=lambda w: (self._failed[w.uid], w.uid)):
                if stop is not None and stop.is_set():
                    return
                done = self._take(box, one)
                if done is not None:
                    box.done(one.uid)
                    del self._failed[one.uid]
                    self._tell(told(done))
                    yield done

    def _take(self, box: Mailbox, one: Waiting) -> Sorted | None:
        """Takes one mail in; None where it stays unread for now."""
        try:
            if self._failed[one.uid] >= TRIES:
                return self._given_up(box, one)
            if one.size > self._mailbox.max_megabytes * _MEGABYTE:
                return self._too_large(box, one)
            raw = box.fetch(one.uid)
            return None if raw is None else self._sorting.sort(raw, one.at)
        except MailboxUnreachable:
            self._failed[one.uid] += 1
            raise
        except (*LEDGER_TROUBLE, OSError):
            raise  # the ledger's trouble, or a full disk: no fault of this mail's
        except Exception as error:  # whatever a hostile mail broke ends there, and those behind it are read
            self._broke(one, error)
        return None

    def _broke(self, one: Waiting, error: Exception) -> None:
        self._failed[one.uid] += 1
        _log.warning("mail %s could not be taken in", one.uid, exc_info=error)
        if self._failed[one.uid] <= TRIES:
            self._tell(f"A mail could not be taken in ({type(error).__name__}); it stays unread and is tried again.")

    def _too_large(self, box: Mailbox, one: Waiting) -> Sorted | None:
        raw = box.fetch(one.uid, _BEGINNING)
        if raw is None:
            return None
        why = f"it has {one.size / _MEGABYTE:.0f} MB, and at most {self._mailbox.max_megabytes} MB are fetched"
        return self._sorting.unread(raw, one.at, why, whole=False)

    def _given_up(self, box: Mailbox, one: Waiting) -> Sorted | None:
        raw = b""
        with suppress(MailboxUnreachable):
            raw = box.fetch(one.uid, _BEGINNING) or b""
        why = f"reading it failed {TRIES} times; it is number {one.uid} of the mailbox"
        return self._sorting.unread(raw or f"mail {one.uid}".encode(), one.at, why, whole=False)


def told(done: Sorted) -> str:
    """What became of a mail, in one line without a stranger's words."""
    on = f" on ticket {done.ticket}" if done.ticket else ""
    match done.what:
        case "filed":
            return f"filed{on}: {done.why}"
        case "again":
            return f"known already{on}"
        case "came_back":
            return f"a letter came back{on} {done.why}: a person is called"
        case "unread":
            return f"not read{on}: {done.why}; a person has to read it"
        case _:
            return f"recorded and not answered{on}: {done.why}"
