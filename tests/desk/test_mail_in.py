"""Mail that comes in over a real mailbox on loopback: filed once and then marked, whatever it holds and whatever breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from mail_house import Certificates, ImapHouse, free_port, imap_house
from mail_scene import ANSWER, HAZEL, PASSED, STRANGER, TRUSTED, Scene, workspace, written

from desk.errors import SettingsError
from desk.mailbox.attachments import safe_name
from desk.mailbox.imap import MailboxUnreachable
from desk.mailbox.password import MailboxPassword
from desk.mailbox.quotes import MOST_PASSAGES, without_repeats
from guards.facts import Standing
from ledger.decisions import Signature
from ledger.errors import StoreBusy
from ledger.intake import IncomingMessage
from ledger.pages import timeline_text
from ledger.people import PeopleLedger
from ledger.reviews import call_a_person
from ledger.store import Store
from ledger.verifying.agreement import first_disagreement
from tools.account_context import facts_from_context


@pytest.fixture(scope="module")
def server() -> Iterator[ImapHouse]:
    """One IMAP server for all tests of this file."""
    with imap_house() as house:
        yield house


@pytest.fixture
def scene(tmp_path: Path, store: Store, server: ImapHouse) -> Scene:
    """An empty mailbox, and a ledger without a ticket."""
    with server.client() as client:
        if left := client.search("ALL"):
            client.delete_messages(left)
            client.expunge()
    return Scene(server, store, workspace(tmp_path, server.port))


# ── filed, then marked ──────────────────────────────────────────────────────────────────────────────────────


def test_a_mail_is_filed_whole_and_marked_and_is_not_read_again(scene: Scene) -> None:
    assert scene.read(written("Where do I add seats?")) == ["filed"]
    (message,) = scene.filed
    assert (message.channel, message.subject, message.text) == ("email", "Seats", "Where do I add seats?")
    assert (message.requester_email, message.recipient) == (HAZEL, HAZEL)
    assert (message.verified, message.account_id) == (True, "A-1001")
    assert message.message_id == "<one@maplefinch.example>"
    assert message.received_at is not None
    assert scene.box.unseen() == 0
    assert scene.read() == []


def test_a_mail_that_was_filed_and_not_marked_is_known_when_it_is_read_again(scene: Scene) -> None:
    mail = written()
    mail.add_attachment(b"1,2", maintype="text", subtype="csv", filename="list.csv")
    scene.read(mail, written("Another", message_id="two"))
    before = [scene.thread(t) for t in scene.tickets()]
    scene.box.mark_unseen()
    assert scene.read() == ["again", "again"]
    assert [scene.thread(t) for t in scene.tickets()] == before
    assert scene.box.unseen() == 0


def test_a_mail_that_could_not_be_filed_stays_unread_and_nothing_of_it_is_lost(scene: Scene) -> None:
    def locked(_: IncomingMessage) -> None:
        raise StoreBusy("the store stayed locked")

    scene.before = locked
    with pytest.raises(StoreBusy):
        scene.read(written())
    assert (scene.box.unseen(), scene.tickets()) == (1, ())
    scene.before = lambda _: None
    assert scene.read() == ["filed"]


_TOO_MUCH = b"From: a@b.example\r\nMessage-ID: <big@b>\r\n"
_DEEP = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (_TOO_MUCH + b'Content-Type: text/plain; name="' + b'\\"a;' * 1_500 + b"\r\n\r\nx", "longer than 4,000"),
        (
            _TOO_MUCH + b'Content-Type: text/plain; name="' + b'\r\n "a;\\"a;' * 1_500 + b"\r\n\r\nx",
            "longer than 4,000",
        ),
        (
            _TOO_MUCH + b'Content-Disposition: attachment; filename="' + b'\\"a;' * 1_500 + b"\r\n\r\nx",
            "longer than 4,000",
        ),
        (
            _TOO_MUCH
            + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
            + b'Content-Type: image/png; name="'
            + b'\\"a;' * 1_500
            + b"\r\n\r\nx\r\n--b--\r\n",
            "longer than 4,000",
        ),
        (_TOO_MUCH + b"Subject: " + b"=?utf-8?q?a?= " * 1_000 + b"\r\n\r\nx", "longer than 8,000"),
        (_TOO_MUCH + b"X: y\r\n" * 30_000 + b"\r\nx", "more headers than"),
        (_TOO_MUCH + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 2_100, "2,000 parts"),
        (_TOO_MUCH + _DEEP + b"\r\nx\r\n" + b"\n" * 100_000, "too many lines"),
        (_TOO_MUCH + b"\r\n" + b"words " * 340_000, "2,000,000 bytes of words"),
    ],
)
def test_a_mail_that_is_more_than_is_taken_apart_ends_at_a_person_and_does_not_hold_up_those_behind_it(
    scene: Scene, raw: bytes, why: str
) -> None:
    assert scene.read(raw, written(message_id="behind")) == ["unread", "filed"]
    assert why in scene.filed[0].text and scene.filed[0].attachments[0].startswith("the-mail.eml")
    assert scene.box.unseen() == 0


def test_two_mails_with_one_message_id_and_different_words_are_both_read(scene: Scene) -> None:
    assert scene.read(written("Where do I add seats?"), written("And please cancel the rest.")) == ["filed", "filed"]
    said = [m.text for t in scene.tickets() for m in scene.thread(t)]
    assert sorted(said) == ["And please cancel the rest.", "Where do I add seats?"]


def test_a_mail_that_breaks_its_reading_does_not_hold_up_those_behind_it_and_a_person_is_told(scene: Scene) -> None:
    def broken(message: IncomingMessage) -> None:
        if "poison" in message.text and "did not read" not in message.text:
            raise RuntimeError("made up")

    scene.before = broken
    scene.box.put(written("poison", message_id="p").as_bytes(), written("good", message_id="g").as_bytes())
    room = scene.room()
    looks = [[done.what for done in room.look()] for _ in range(4)]
    assert looks == [["filed"], [], [], ["unread"]]
    told = scene.filed[-1]
    assert "did not read: reading it failed 3 times" in told.text
    assert (told.verified, told.recipient, scene.box.unseen()) == (False, HAZEL, 0)


def test_read_mail_is_moved_where_that_is_wanted_and_what_a_person_opened_is_read_all_the_same(
    tmp_path: Path, store: Store, scene: Scene
) -> None:
    moving = Scene(scene.box, store, workspace(tmp_path, scene.box.port, 'done_folder = "Lanewise"\n'))
    scene.box.put(written().as_bytes())
    with scene.box.client() as client:
        client.add_flags(client.search("ALL"), [b"\\Seen"])
    assert moving.read() == ["filed"]
    assert (scene.box.count(), scene.box.count("Lanewise")) == (0, 1)


def test_a_mail_room_reads_until_it_is_told_to_stop_and_says_once_what_is_wrong(scene: Scene) -> None:
    stop, fails = threading.Event(), [3]

    def locked(_: IncomingMessage) -> None:
        if fails[0]:
            fails[0] -= 1
            raise StoreBusy("the store stayed locked")
        stop.set()

    scene.before = locked
    scene.box.put(written().as_bytes())
    thread = threading.Thread(target=scene.room().run, args=(stop,))
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    assert scene.told[0].startswith("No mail is read for now: the store stayed locked")
    assert [line.split(":")[0].split(" on ")[0] for line in scene.told[1:]] == ["filed"]


# ── whose mail it is ────────────────────────────────────────────────────────────────────────────────────────

FORGED = "Authentication-Results: mx.team.example; dmarc=pass header.from=maplefinch.example"


@pytest.mark.parametrize(
    ("found", "verified"),
    [
        (PASSED, True),
        (f"{TRUSTED}; dkim=pass header.d=maplefinch.example; spf=fail smtp.mailfrom=x.example", True),
        (f"{TRUSTED}; dkim=pass (ok) header.i=@maplefinch.example header.s=s1", True),
        (f"{TRUSTED.upper()} 1; dmarc=pass (p=reject) header.from=maplefinch.example", True),
        (f"{TRUSTED}; dmarc=fail header.from=maplefinch.example; dkim=pass header.d=maplefinch.example", False),
        (f"{TRUSTED}; dmarc=pass header.from=collector.example", False),
        (f"{TRUSTED}; dmarc=pass", False),
        (f"{TRUSTED}; dmarc=bestguesspass header.from=maplefinch.example", False),
        (f"{TRUSTED}; dkim=pass header.d=collector.example", False),
        (f"{TRUSTED}; dkim=pass header.i=@maplefinch.example header.d=collector.example", False),
        (f"{TRUSTED}; dkim=pass header.d=finch.example", False),
        (f"{TRUSTED}; spf=pass smtp.mailfrom={HAZEL}", False),
        (f"{TRUSTED}; none", False),
        (f"{TRUSTED}; dmarc=", False),
        (f"{TRUSTED} (; dmarc=pass header.from=maplefinch.example)", False),
        ("mx.collector.example; dmarc=pass header.from=maplefinch.example", False),
        ("", False),
    ],
)
def test_a_sender_is_verified_only_by_what_the_trusted_server_found_of_that_very_domain(
    scene: Scene, found: str, verified: bool
) -> None:
    scene.read(written(passed=found))
    (message,) = scene.filed
    assert (message.verified, message.account_id) == (verified, "A-1001" if verified else None)


def test_only_the_topmost_header_of_the_trusted_server_counts(scene: Scene) -> None:
    failed = f"Authentication-Results: {TRUSTED}; dmarc=fail header.from=maplefinch.example\n".encode()
    unreadable = f"Authentication-Results: {TRUSTED}; dmarc=\n".encode()
    foreign = b"Authentication-Results: mx.collector.example; dmarc=fail header.from=maplefinch.example\n"
    raw = written().as_bytes()
    scene.read(failed + raw, unreadable + raw.replace(b"one@", b"two@"), foreign + raw.replace(b"one@", b"three@"))
    assert [m.verified for m in scene.filed] == [False, False, True]


@pytest.mark.parametrize(
    "sender",
    [
        f"{HAZEL}, {STRANGER}",
        f"=?utf-8?q?Hazel_=3Chazel=40maplefinch=2Eexample=3E=2C?= <{STRANGER}>",
        f'"{HAZEL}" <{STRANGER}>',
        "h\u0430zel@maplefinch.example",
    ],
)
def test_a_sender_line_that_can_be_read_in_two_ways_verifies_nobody(scene: Scene, sender: str) -> None:
    raw = written(sender="SENDER").as_bytes().replace(b"SENDER", sender.encode())
    scene.read(raw)
    assert [m.verified for m in scene.filed] == [False]


def test_an_authenticated_domain_that_no_account_has_verifies_nobody(scene: Scene) -> None:
    mail = written(sender="x@gmail.com", passed=f"{TRUSTED}; dmarc=pass header.from=gmail.com")
    scene.read(mail)
    assert (scene.filed[0].verified, scene.filed[0].account_id) == (False, None)


# ── which thread it belongs to ──────────────────────────────────────────────────────────────────────────────


def test_an_answer_to_our_letter_joins_its_ticket_without_repeating_it(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket)
    quoted = "".join(f"> {line}\n" for line in ANSWER.splitlines())
    text = f"I see no Billing there.\n\nOn Tue, 10 Mar 2026 at 10:00, Support <help@team.example> wrote:\n\n{quoted}"
    scene.read(written(text, message_id="two", subject="Re: Seats", In_Reply_To=letter))
    assert scene.tickets() == (ticket,)
    assert scene.thread(ticket)[-1].text == "I see no Billing there."
    assert scene.history.ticket(ticket).verified


def test_an_answer_to_a_letter_of_which_nobody_knows_joins_its_ticket_too(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket, recorded=False)
    scene.read(written("Thanks", message_id="two", References=f"<x@y.example> {letter}"))
    assert scene.tickets() == (ticket,)


def test_what_differs_by_a_word_from_what_we_wrote_is_kept(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket)
    text = "See below.\n\n> Hello Hazel,\n> seats are NOT added under Settings, then Billing, then Seats.\n"
    scene.read(written(text, message_id="two", In_Reply_To=letter))
    assert "NOT added" in scene.thread(ticket)[-1].text


def test_an_answer_from_another_address_joins_openly_and_nothing_of_the_account_is_told_any_more(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket)
    colleague = "ivo@maplefinch.example"
    scene.read(written("Me too", sender=colleague, message_id="two", In_Reply_To=letter))
    assert scene.tickets() == (ticket,)
    joined = scene.filed[-1]
    assert (joined.verified, joined.requester_email) == (False, colleague)
    assert "another address" in str(joined.context)
    held = scene.history.ticket(ticket)
    assert (held.verified, held.recipient) == (False, HAZEL)


def test_nobody_can_make_a_message_id_that_leads_into_anothers_ticket(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    real = scene.answer(ticket)
    guesses = [
        real.replace(real[10:14], "0000" if real[10:14] != "0000" else "1111"),
        real.upper(),
        f"<lanewise.{'0' * 40}@team.example>",
        "<one@maplefinch.example>",
    ]
    for n, guess in enumerate(guesses):
        scene.read(written("Send me the invoice", STRANGER, message_id=f"g{n}", passed="", In_Reply_To=guess))
    assert len(scene.thread(ticket)) == 2
    assert all(m.ticket != ticket for m in scene.filed[1:])


def test_a_second_mail_under_the_customers_own_first_joins_it_and_a_forged_one_does_not(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    scene.read(written("One more thing", message_id="two", In_Reply_To="<one@maplefinch.example>"))
    assert scene.tickets() == (ticket,)
    scene.read(written("Refund me", message_id="three", passed="", In_Reply_To="<one@maplefinch.example>"))
    assert len(scene.tickets()) == 2
    assert scene.history.ticket(ticket).verified, "who only says that he is Hazel changes nothing in her thread"


def test_an_answer_to_a_letter_of_an_erased_ticket_opens_a_ticket_of_its_own(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket)
    PeopleLedger(scene.store).erase(ticket, Signature("Marek", "asked for", "e-1"))
    scene.read(written("Thanks", message_id="two", In_Reply_To=letter))
    assert len(scene.tickets()) == 2
    scene.box.mark_unseen()
    assert scene.read() == ["again", "again"], "what was erased is not filed anew"
    assert scene.thread(ticket)[0].erased


# ── machines ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "value", "why"),
    [
        ("Auto_Submitted", "auto-replied; owner-email=x", "auto_submitted"),
        ("Auto_Submitted", "auto-generated", "auto_submitted"),
        ("Return_Path", "<>", "null_return_path"),
        ("Precedence", "bulk", "precedence"),
        ("List_Id", "News <news.collector.example>", "list"),
        ("List_Unsubscribe", "<mailto:x@y.example>", "list"),
        ("X_Auto_Response_Suppress", "All", "auto_response"),
        ("X_Autoreply", "yes", "auto_response"),
    ],
)
def test_what_a_machine_wrote_is_recorded_and_makes_no_ticket(scene: Scene, header: str, value: str, why: str) -> None:
    assert scene.read(written("I am away.", **{header: value})) == ["noted"]
    assert (scene.filed, scene.tickets()) == ([], ())
    (event,) = scene.noted(None)
    assert (event.head["why"], event.body) == (why, None)
    scene.box.mark_unseen()
    scene.read()
    assert len(scene.noted(None)) == 1


@pytest.mark.parametrize("sender", ["help@team.example", "support@team.example", "MAILER-DAEMON@mx.example"])
def test_our_own_address_and_a_mail_system_are_not_answered(scene: Scene, sender: str) -> None:
    assert scene.read(written("Hello", sender=sender, passed="")) == ["noted"]


def test_a_person_who_says_that_no_machine_wrote_is_answered(scene: Scene) -> None:
    assert scene.read(written(Auto_Submitted="no", X_Auto_Response_Suppress="None", Precedence="normal")) == ["filed"]


def test_an_automatic_answer_to_our_letter_is_shown_to_whoever_has_the_review_and_to_nobody_else(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket)
    revision = scene.history.register(ticket).revision
    away = written("I am away.", message_id="a", In_Reply_To=letter, Auto_Submitted="auto-replied")
    assert scene.read(away) == ["noted"]
    assert scene.review(ticket) is None
    with scene.store.write() as conn:
        now = scene.store.now()
        call_a_person(conn, ticket, "event_given_up", review_id="rv", cause=1, at=now)
    scene.read(written("Still away.", message_id="b", In_Reply_To=letter, Auto_Submitted="auto-replied"))
    review = scene.review(ticket)
    assert review is not None and review.packet is not None
    assert any("a machine wrote" in note for note in review.packet.degraded)
    assert [e.body.json()["text"] for e in scene.noted(ticket) if e.body] == ["I am away.", "Still away."]
    assert scene.history.register(ticket).revision == revision, "it is no message of the customer's"
    assert scene.intake.tickets_with_work() == (ticket,), "only the first message waits for the worker"


def test_more_mail_on_a_thread_than_a_person_writes_calls_a_person_and_is_not_answered(
    tmp_path: Path, store: Store, scene: Scene
) -> None:
    quick = Scene(scene.box, store, workspace(tmp_path, scene.box.port, "messages_an_hour = 3\n"))
    quick.read(written())
    (ticket,) = quick.tickets()
    letter = quick.answer(ticket)
    became = quick.read(*(written(f"ping {n}", message_id=f"p{n}", In_Reply_To=letter) for n in range(4)))
    assert became == ["filed", "filed", "noted", "noted"]
    review = quick.review(ticket)
    assert review is not None and review.why == "too_much_mail"
    assert [e.body.json()["text"] for e in quick.noted(ticket) if e.body] == ["ping 2", "ping 3"]


def test_more_tickets_than_a_person_opens_are_recorded_on_the_last_and_a_person_is_called(
    tmp_path: Path, store: Store, scene: Scene
) -> None:
    quick = Scene(scene.box, store, workspace(tmp_path, scene.box.port, "new_tickets_an_hour = 2\n"))
    became = quick.read(*(written(f"ping {n}", message_id=f"p{n}") for n in range(4)))
    assert became == ["filed", "filed", "noted", "noted"]
    assert len(quick.tickets()) == 2
    assert [r.why for r in quick.reviews.open()] == ["too_much_mail"]
    assert sum(len(quick.noted(t)) for t in quick.tickets()) == 2
    assert quick.read(written("hello", sender=STRANGER, message_id="s", passed="")) == ["filed"]
    assert quick.read(written("hello", message_id="forged", passed="")) == ["filed"], "who only says so is another"
    noted = next(t for t in quick.tickets() if quick.noted(t))
    assert "too_much; “ping" in timeline_text(quick.history.timeline(noted), quick.history.register(noted))


def test_what_is_quoted_from_the_thread_is_looked_for_within_bounds() -> None:
    thread = ["word " * 40_000]
    between = "> word\nand I say\n" * 2_000
    kept = without_repeats(between, thread)
    assert kept.count("and I say") == 2_000
    assert kept.count("> word") == 2_000 - MOST_PASSAGES
    assert without_repeats("> word\n" * 20_000 + "x", thread).count("> word") == 20_000, (
        "a very long text is kept whole"
    )


# ── letters that come back ──────────────────────────────────────────────────────────────────────────────────


def returned(letter: str, action: str = "failed", status: str = "5.1.1") -> bytes:
    """A report as mail systems write it (RFC 3464)."""
    return (
        "From: MAILER-DAEMON@mx.example\r\nTo: help@team.example\r\nSubject: Undelivered\r\nReturn-Path: <>\r\n"
        "Auto-Submitted: auto-replied\r\nMessage-ID: <dsn@mx.example>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {HAZEL}\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {letter}\r\nSubject: Re: Seats\r\n\r\nHello\r\n--b--\r\n"
    ).encode()


def test_a_letter_that_came_back_is_in_doubt_and_a_person_is_called_once(scene: Scene) -> None:
    scene.read(written())
    (ticket,) = scene.tickets()
    letter = scene.answer(ticket)
    assert scene.read(returned(letter)) == ["came_back"]
    assert scene.post.delivery("r-1").state.value == "unknown"
    review = scene.review(ticket)
    assert review is not None and review.why == "letter_came_back"
    scene.box.mark_unseen()
    scene.read()
    again = scene.review(ticket)
    assert again is not None and again.revision == review.revision
    assert not any(m.certain for m in scene.thread(ticket) if m.role == "assistant")
    with scene.store.read() as conn:
        assert first_disagreement(conn) is None, "the record and what is derived from it still agree"


def test_a_delay_is_recorded_and_changes_nothing_of_the_letter(scene: Scene) -> None:
    scene.read(written())
    letter = scene.answer(scene.tickets()[0])
    assert scene.read(returned(letter, "delayed", "4.4.1")) == ["noted"]
    assert scene.post.delivery("r-1").state.value == "sent"


def test_a_report_about_a_letter_that_is_not_ours_changes_none_of_ours(scene: Scene) -> None:
    scene.read(written())
    scene.answer(scene.tickets()[0])
    assert scene.read(returned(f"<lanewise.{'0' * 40}@team.example>")) == ["noted"]
    assert scene.post.delivery("r-1").state.value == "sent"


# ── attachments, and what cannot be read ────────────────────────────────────────────────────────────────────


def with_files(*files: tuple[str, bytes], message_id: str = "one") -> EmailMessage:
    mail = written("See attached.", message_id=message_id)
    for name, what in files:
        mail.add_attachment(what, maintype="application", subtype="octet-stream", filename=name)
    return mail


def test_attachments_are_kept_for_a_person_under_names_that_mean_nothing_to_any_system(scene: Scene) -> None:
    scene.read(with_files(("../../etc/passwd", b"one"), ("bill\u202egpj.exe", b"two"), ("a/b\\c .pdf", b"three")))
    kept = sorted((scene.settings.workspace / ".lanewise" / "attachments").rglob("*.*"))
    assert [f.name for f in kept] == ["02-billgpj.exe", "03-c-.pdf"]
    (first,) = (scene.settings.workspace / ".lanewise" / "attachments").rglob("01-*")
    assert (first.name, first.read_bytes()) == ("01-passwd", b"one")
    assert all(f.stat().st_mode & 0o177 == 0 for f in (*kept, first))
    told = scene.filed[0].attachments
    assert len(told) == 3 and all("kept as .lanewise/attachments/" in name for name in told)
    assert "\u202e" not in "".join(told)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", "\0", "con", "NUL.txt", "a" * 300 + ".pdf", "…", "-rf", ".htaccess"]
)
def test_a_safe_name_is_a_short_plain_name_whatever_came(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe) <= 81
    assert safe.isascii() and not safe.startswith((".", "-", "/"))
    assert safe.partition(".")[0].lower() not in ("con", "nul", "")


def test_what_there_is_no_room_for_is_named_and_not_kept(tmp_path: Path, store: Store, scene: Scene) -> None:
    small = Scene(scene.box, store, workspace(tmp_path, scene.box.port, "attachments_megabytes = 0\n"))
    small.read(with_files(("list.csv", b"1,2")))
    assert small.filed[0].attachments == (
        "list.csv (not kept: there is no room for it here; it is still in the mailbox)",
    )


def test_a_mail_that_is_too_large_is_not_fetched_and_a_person_is_told(
    tmp_path: Path, store: Store, scene: Scene
) -> None:
    small = Scene(scene.box, store, workspace(tmp_path, scene.box.port, "max_megabytes = 1\n"))
    assert small.read(with_files(("big.bin", b"x" * 1_200_000)), written(message_id="two")) == ["unread", "filed"]
    message = small.filed[0]
    assert "at most 1 MB are fetched" in message.text
    assert (message.verified, message.requester_email) == (False, HAZEL)
    assert message.attachments == ("the mail itself (it is still in the mailbox)",)
    assert scene.box.unseen() == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"\0\xff\xfe rubbish \x80\r\n\r\n\xff",
        b"From: \r\nSubject: \r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 2000,
        b"From: a@b.example\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xff\xfewords",
        b"From: a@b.example\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!",
        b"From: a@b.example\r\nSubject: =?utf-8?b?////?=\r\nDate: nonsense\r\n\r\nwords",
        b"From: =?no-such?q?x?= <a@b.example>\r\nMessage-ID: <" + b"x" * 5000 + b"@b>\r\n\r\nwords",
        b"From: a@b.example\r\nReferences: " + b"<x@y>" * 20000 + b"\r\n\r\nwords",
        b"From: a@b.example\r\nAuthentication-Results: mx.team.example; " + b"(" * 5000 + b"\r\n\r\nwords",
    ],
)
def test_a_malformed_mail_ends_at_a_person_and_the_one_behind_it_is_read(scene: Scene, raw: bytes) -> None:
    became = scene.read(raw, written(message_id="good"))
    assert became[0] in ("filed", "unread") and became[1] == "filed"
    assert scene.box.unseen() == 0
    assert not scene.filed[0].verified


def test_what_was_noticed_on_the_way_in_is_told_to_people_and_believed_by_nobody(scene: Scene) -> None:
    mail = written(Reply_To=STRANGER)
    mail.set_content("<p>Where?</p><p style='display:none'>plan: enterprise</p>", subtype="html")
    scene.read(mail)
    (message,) = scene.filed
    assert message.text == "Where?"
    facts = list(facts_from_context(message.context))
    assert [f.standing for f in facts] == [Standing.CLAIMED]
    assert "enterprise" in str(facts[0].value) and STRANGER in str(facts[0].value)


# ── the mailbox itself ──────────────────────────────────────────────────────────────────────────────────────


def test_a_mailbox_that_cannot_be_reached_or_entered_says_which_and_why(tmp_path: Path, scene: Scene) -> None:
    scene.settings = workspace(tmp_path, free_port())
    with pytest.raises(MailboxUnreachable, match="mailbox at localhost"):
        list(scene.room().look())
    room = scene.room()
    room._to = scene.settings.imap.model_copy(update={"port": scene.box.port})  # type: ignore[union-attr]
    room._password = MailboxPassword("a wrong one")
    with pytest.raises(MailboxUnreachable, match=r"correct mailbox\.username or its password"):
        list(room.look())


def test_over_starttls_the_server_shows_who_it_is_or_gets_no_password(tmp_path: Path, store: Store) -> None:
    certificates = Certificates(tmp_path)
    with imap_house(certificates) as house:
        encrypted = f'ca_file = "{certificates.ca_file}"\n'
        scene = Scene(house, store, workspace(tmp_path, house.port))
        text = (tmp_path / "lanewise.toml").read_text().replace('security = "none"', 'security = "starttls"')
        (tmp_path / "lanewise.toml").write_text(text + encrypted)
        from desk.settings import load_settings

        scene.settings = load_settings(tmp_path, {})
        assert list(scene.room().look()) == []
        (tmp_path / "lanewise.toml").write_text(text)
        scene.settings = load_settings(tmp_path, {})
        with pytest.raises(MailboxUnreachable, match="certificate"):
            list(scene.room().look())


def test_a_mail_room_needs_a_mailbox_and_its_password_which_leaves_the_environment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from desk.mailbox.room import MailRoom
    from desk.records import Records

    records = Records(scene.settings, scene.store)
    with pytest.raises(SettingsError, match="LANEWISE_MAILBOX_PASSWORD is not in the environment"):
        MailRoom(scene.settings, records, scene.file)
    monkeypatch.setenv("LANEWISE_MAILBOX_PASSWORD", "made up")
    import os

    room = MailRoom(scene.settings, records, scene.file)
    assert "LANEWISE_MAILBOX_PASSWORD" not in os.environ
    assert "made up" not in repr(vars(room))
    nothing = scene.settings.model_copy(update={"imap": None})
    with pytest.raises(SettingsError, match="no mailbox is named"):
        MailRoom(nothing, records, scene.file)
