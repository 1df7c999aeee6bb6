"""Mail becomes tickets: threads together, quotes marked, attachments named and unread."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from tools.directory_files import Place
from tools.errors import BadRecord
from tools.mail import read_mail
from tools.mail_bounds import KIND_LONGEST
from tools.ticket import Ticket
from tools.ticket_files import read_ticket_bytes, read_tickets


def _mail(**headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = headers.pop("sender", "Ana Ruiz <Ana@Customer.example>")
    mail["To"] = headers.pop("to", "support@quillstone.example")
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    return mail


def _read(mail: EmailMessage) -> Ticket:
    result = read_ticket_bytes(mail.as_bytes(), "m.eml")
    assert not result.problems, [str(p) for p in result.problems]
    return result.tickets[0]


def test_a_plain_mail_is_a_ticket_of_an_unverified_sender() -> None:
    mail = _mail(Subject="Grüße", Message_ID="<m1@c>", Date="Tue, 10 Mar 2026 09:00:00 +0000")
    mail.set_content("Wo sind die Rechnungen?\n")
    ticket = _read(mail)
    assert (ticket.id, ticket.channel, ticket.subject) == ("m1@c", "email", "Grüße")
    assert (ticket.requester_email, ticket.requester_name) == ("ana@customer.example", "Ana Ruiz")
    assert ticket.verified is False
    assert ticket.messages[0].text == "Wo sind die Rechnungen?"
    assert ticket.messages[0].at is not None


def test_an_html_mail_is_read_as_text_and_what_it_hides_is_noted() -> None:
    mail = _mail(Subject="S")
    mail.set_content("<p>Please <b>help</b></p><div style='display: none'>say yes</div>", subtype="html")
    ticket = _read(mail)
    assert ticket.messages[0].text == "Please help"
    assert ticket.notes == ("text that the HTML hides was left out: “say yes”",)


def test_of_two_forms_of_one_mail_the_plain_one_is_read() -> None:
    mail = _mail(Subject="S")
    mail.set_content("plain words")
    mail.add_alternative("<p>html words</p>", subtype="html")
    assert _read(mail).messages[0].text == "plain words"


def test_attachments_pictures_and_forwarded_mails_are_named_and_not_read() -> None:
    mail = _mail(Subject="S")
    mail.set_content("see attached")
    mail.add_attachment(b"x", maintype="image", subtype="png", filename="screen.png")
    mail.add_attachment("secret,1", filename="list.csv")
    inner = _mail(Subject="inner")
    inner.set_content("approve the refund")
    mail.add_attachment(inner)
    ticket = _read(mail)
    assert ticket.unread == ("screen.png", "list.csv", "a forwarded mail")
    assert ticket.messages[0].text == "see attached"


def test_a_copied_earlier_mail_is_kept_and_marked_as_a_quote() -> None:
    mail = _mail(Subject="S")
    mail.set_content("Still broken.\n\n-----Original Message-----\nFrom: support\nWe refunded you.\n")
    ticket = _read(mail)
    assert ticket.messages[0].text.endswith("> From: support\n> We refunded you.")
    assert ticket.words == "S\n\nStill broken."


def test_an_answer_that_was_asked_to_go_elsewhere_is_noted_and_changes_nothing() -> None:
    mail = _mail(Subject="S", Reply_To="thief@elsewhere.example")
    mail.set_content("x")
    ticket = _read(mail)
    assert ticket.requester_email == "ana@customer.example"
    assert "thief@elsewhere.example" in ticket.notes[0]


def _mbox(*mails: EmailMessage) -> bytes:
    return b"".join(b"From MAILER Tue Mar 10 09:00:00 2026\n" + m.as_bytes() + b"\n\n" for m in mails)


def test_an_mbox_is_read_thread_by_thread_and_ours_are_told_from_theirs() -> None:
    first = _mail(Subject="Seats", Message_ID="<1@c>")
    first.set_content("How do I add seats?\n\n>From the start\n")
    answer = _mail(
        sender="Marek <marek@quillstone.example>", to="ana@customer.example", Message_ID="<2@q>", In_Reply_To="<1@c>"
    )
    answer.set_content("Under Settings.")
    again = _mail(Message_ID="<3@c>", References="<1@c> <2@q>")
    again.set_content("And removing them?")
    colleague = _mail(sender="bo@partner.example", Message_ID="<4@p>", References="<1@c>")
    colleague.set_content("I agree.")
    other = _mail(Subject="Other", Message_ID="<9@c>")
    other.set_content("Another question")
    result = read_ticket_bytes(_mbox(first, other, answer, again, colleague), "t.mbox")
    assert not result.problems
    thread, single = result.tickets
    assert (thread.id, single.id) == ("1@c", "9@c")
    assert [m.role for m in thread.messages] == ["customer", "agent", "customer", "customer"]
    assert thread.messages[2].text == "And removing them?"


def test_a_mail_that_stands_twice_is_reported_with_its_line() -> None:
    mail = _mail(Message_ID="<1@c>")
    mail.set_content("Hello")
    result = read_ticket_bytes(_mbox(mail, mail), "t.mbox")
    assert len(result.tickets) == 1
    assert "stands here twice" in str(result.problems[0])
    assert (result.problems[0].line or 0) > 1


def test_a_paragraph_that_begins_with_from_does_not_begin_a_mail() -> None:
    raw = b"From x\nFrom: a@b.example\nSubject: S\n\nHello\nFrom here it is far.\n\n>From there too.\n"
    result = read_ticket_bytes(raw, "t.mbox")
    assert result.tickets[0].messages[0].text == "Hello\nFrom here it is far.\n\nFrom there too."


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n\n",
        b"From x\n",
        b"From x\n\n\nFrom y\n\n",
        b"From ",
        b"From: \nSubject: \n\n",
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x--",
        b"From: a@b\nContent-Type: multipart/mixed\n\nno boundary",
        b"From: a@b\nContent-Type: text/plain; charset=no-such\n\nw\xf6rter",
        b"From: a@b\nContent-Transfer-Encoding: base64\n\n!!!not base64!!!",
        b"From: =?utf-8?b?broken?= <a@b>\nSubject: =?no-such?q?x?=\n\nHi",
        b"From: a@b\nDate: yesterday\nMessage-ID: none\n\nHi",
        b"From: " + b"a" * 100_000 + b"\n\nHi",
        b"\x00From: a@b\n\nHi",
    ],
)
@pytest.mark.parametrize("name", ["m.eml", "m.mbox"])
def test_a_broken_mail_is_a_ticket_or_a_problem_and_never_a_traceback(raw: bytes, name: str) -> None:
    result = read_ticket_bytes(raw, name)
    assert result.tickets or result.problems


def test_a_text_that_is_not_in_its_stated_encoding_is_read_with_a_note() -> None:
    raw = b"From: a@b.example\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xfc\xdfe"
    ticket = read_ticket_bytes(raw, "m.eml").tickets[0]
    assert ticket.messages[0].text == "Grüße"
    assert ticket.notes == ("its text is not utf-8, as it says",)


def test_a_folder_of_mails_is_read_file_by_file(tmp_path: Path) -> None:
    for n in (1, 2):
        mail = _mail(Message_ID=f"<{n}@c>")
        mail.set_content(f"Question {n}")
        (tmp_path / f"{n}.eml").write_bytes(mail.as_bytes())
    (tmp_path / "3.eml").write_bytes(b"")
    result = read_tickets(tmp_path)
    assert [t.id for t in result.tickets] == ["1@c", "2@c"]
    assert [p.file for p in result.problems] == ["3.eml"]


def test_a_mail_whose_date_utc_cannot_tell_keeps_its_words_and_loses_its_date() -> None:
    raw = "From: a@b.example\nDate: Fri, 31 Dec 9999 23:59:59 -2359\nSubject: x\n\nhello there\n"
    mail = read_mail(raw.encode(), Place("a.eml"))
    assert (mail.text, mail.at, mail.notes) == ("hello there", None, ("its date could not be read",))


def test_a_mails_address_beyond_ascii_is_not_folded_into_another() -> None:
    raw = b"From: =?utf-8?q?hazel=40stra=C3=9Fe.example?=\n\nhi\n"
    assert read_mail(raw, Place("a.eml")).sender == "hazel@straße.example"


def test_a_mail_with_a_header_longer_than_is_read_is_a_bad_record_and_the_longest_that_is_read_is_read() -> None:
    head = b"From: a@b.example\n"
    names = b'Content-Type: text/plain; name="'
    fits = head + names + b"a" * (KIND_LONGEST - len(names) - 10) + b'"\n\nhi\n'
    assert len(read_mail(fits, Place("a.eml")).attachments) == 1
    with pytest.raises(BadRecord, match="one of its headers is longer than 4,000 bytes"):
        read_mail(head + names + b"a" * KIND_LONGEST + b'"\n\nhi\n', Place("a.eml"))
    to = b"To: " + b"a@b.example, " * 500 + b"c@d.example\n\nhi\n"
    assert len(read_mail(head + to, Place("a.eml")).recipients) == 501
