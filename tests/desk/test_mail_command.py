"""Mail from end to end, by the commands: a question comes in, its answer leaves under it, and what nobody can read finds a person."""

from __future__ import annotations

import os
import signal
import threading
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from mail_house import PASSWORD, USER, imap_house, smtp_house
from mail_scene import HAZEL, TRUSTED, written

from desk.commands.mail import stay
from desk.mailbox.password import MailboxPassword
from desk.mailbox.room import MailRoom
from desk.settings import load_settings
from desk.workplace import open_workplace
from guards.lanes import Lane
from ledger.intake import Intake

AUDIT_LOG = "Where do I find audit logs in the admin panel?"
PATIENCE = 120.0


def test_a_question_by_mail_is_answered_under_it_and_an_unread_file_goes_to_a_person(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with imap_house() as box, smtp_house() as server:
        (tmp_path / "lanewise.toml").write_text(
            f'[channel]\nkind = "smtp"\nhost = "localhost"\nport = {server.port}\nsecurity = "none"\n'
            f'sender = "help@team.example"\n[mailbox]\nhost = "localhost"\nport = {box.port}\nsecurity = "none"\n'
            f'username = "{USER}"\nauthserv_id = "{TRUSTED}"\n'
        )
        missing = run("mail")
        assert (missing.exit_code, "LANEWISE_MAILBOX_PASSWORD" in missing.output) == (2, True)
        question, strange = written(AUDIT_LOG, subject="Audit logs"), written("See the file.", message_id="two")
        strange.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="invoice.pdf")
        box.put(question.as_bytes(), strange.as_bytes(), b"\0\xff no mail \x80\r\n")
        monkeypatch.setenv("LANEWISE_MAILBOX_PASSWORD", PASSWORD)
        read = run("mail")
        assert read.exit_code == 0, read.output
        assert "LANEWISE_MAILBOX_PASSWORD" not in os.environ
        assert "events worked on" in read.output
        assert (box.unseen(), run("post").exit_code) == (0, 0)
        letters = [message_from_bytes(bytes(t.content or b""), policy=policy.default) for t in server.taken]
        answers = [one for one in letters if "udit log" in one.get_content()]
        assert len(answers) == 1
        assert (answers[0]["To"], answers[0]["In-Reply-To"]) == (HAZEL, "<one@maplefinch.example>")
        assert answers[0]["Auto-Submitted"] == "auto-replied"

        place = open_workplace(load_settings(tmp_path, {}), {})
        try:
            waits = {r.ticket for r in place.reviews.open()}
            by_subject = {place.history.ticket(t).subject: t for t in place.history.tickets()}
            assert by_subject["Seats"] in waits, "what nobody was able to read is a person's"
            (rubbish,) = (t for t in place.history.tickets() if not place.history.ticket(t).requester_email)
            assert rubbish in waits
            assert place.history.register(rubbish).lane >= Lane.ASSISTED
            assert by_subject["Audit logs"] not in waits
            told = _stays(place, box)
            assert told[0].startswith("The mail room is open")
            assert told[-1] == "The mail room is closed."
        finally:
            place.store.close()
        kept = list((tmp_path / ".lanewise" / "attachments").rglob("*invoice.pdf"))
        assert len(kept) == 1
        assert run("erase", by_subject["Seats"], "--by", "Marek", "--reason", "asked for").exit_code == 0
        assert not kept[0].exists(), "what came along is erased with the words"


def _stays(place: Any, box: Any) -> list[str]:
    """What a mail room tells that stays until a mail that comes meanwhile was worked on."""
    told: list[str] = []
    alive = threading.Event()
    signal.signal(signal.SIGTERM, _nothing_to_stop)
    before = len(place.history.tickets())

    def watch() -> None:
        box.put(written("A third mail, while it stays.", message_id="three").as_bytes())
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not alive.is_set():
            if len(place.history.tickets()) > before and not Intake(place.store).tickets_with_work():
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    room = MailRoom(
        place.settings,
        place,
        Intake(place.store).receive,
        password=MailboxPassword(PASSWORD),
        accounts=place.systems.accounts,
        tell=told.append,
        every=0.1,
    )
    watching = threading.Thread(target=watch)
    watching.start()
    try:
        assert stay(place, room, told.append, 0.1) == 0
    finally:
        alive.set()
        watching.join()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert len(place.history.tickets()) == before + 1
    return told


def _nothing_to_stop(*_: object) -> None:
    """The room has closed."""
