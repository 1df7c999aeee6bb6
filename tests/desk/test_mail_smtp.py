"""Letters handed to a real mail server on loopback: once, to whom it should be, and never said to be lost where nobody knows."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from desk_house import TICKET, House
from hypothesis import given
from hypothesis import strategies as st
from mail_house import Certificates, SmtpHouse, free_port, smtp_house

from desk.channels.address import mail_address
from desk.channels.credential import ChannelCredential
from desk.channels.journal import Journal
from desk.channels.message_ids import MessageIds, looks_ours, open_message_ids
from desk.channels.smtp import InDoubt, Server, SmtpChannel
from desk.errors import Rejected, SettingsError
from desk.post import PostRoom, channel_for
from desk.settings import FILE_NAME, load_settings
from ledger.intake import IncomingMessage

TO, WORDS = "hazel@maplefinch.example", "Grüße,\n.\n..two dots\nFrom here on all is well.\n"
IDS = MessageIds(b"k" * 32)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Signed by an authority of our own."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def channel(house: SmtpHouse, folder: Path, **more: object) -> SmtpChannel:
    """A channel to a server that speaks without encryption, and that gives up at once."""
    server = Server("localhost", house.port, "none", seconds=10.0)
    return SmtpChannel(server, "help@team.example", IDS, Journal(folder), **{"pauses": (), **more})  # type: ignore[arg-type]


def deliver(
    where: SmtpChannel,
    key: str = "r-1",
    recipient: str = TO,
    subject: str = "Re: Seats",
    body: str = WORDS,
    headers: Mapping[str, str] | None = None,
) -> str:
    return where.deliver(key, recipient=recipient, subject=subject, body=body, headers=headers or {})


def test_a_letter_arrives_word_for_word_with_its_threading_and_says_that_no_person_wrote_it(tmp_path: Path) -> None:
    long = f"<{'a' * 200}@maplefinch.example>"
    headers = {"Auto-Submitted": "auto-replied", "In-Reply-To": long, "References": f"<one@x.example> {long}"}
    with smtp_house() as house:
        ref = deliver(channel(house, tmp_path), headers=headers)
    (taken,) = house.taken
    assert (taken.mail_from, taken.rcpt_tos) == ("help@team.example", [TO])
    assert isinstance(taken.content, bytes)
    letter = message_from_bytes(taken.content, policy=policy.default)
    assert letter.get_content().replace("\r\n", "\n") == WORDS
    assert (letter["Message-ID"], letter["In-Reply-To"].strip()) == (ref, long)
    assert letter["References"].split() == ["<one@x.example>", long]
    assert (letter["Auto-Submitted"], letter["To"], letter["From"]) == ("auto-replied", TO, "help@team.example")


def test_one_key_hands_in_one_letter_and_gives_the_same_reference_in_whatever_process(tmp_path: Path) -> None:
    with smtp_house() as house:
        first = deliver(channel(house, tmp_path))
        assert deliver(channel(house, tmp_path)) == first
        with pytest.raises(Rejected, match="another letter"):
            deliver(channel(house, tmp_path), body="other words")
        assert deliver(channel(house, tmp_path), key="r-2") != first
    assert len(house.taken) == 2


# ── what is certain, and what nobody knows ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("phase", "answer"),
    [
        ("EHLO", "hang up"),
        ("MAIL", "550 5.7.1 the sender help@team.example is not welcome"),
        ("MAIL", "hang up"),
        ("RCPT", "550 5.1.1 no such user hazel@maplefinch.example"),
        ("RCPT", "450 4.2.0 greylisted"),
        ("RCPT", "hang up"),
        ("DATA", "554 5.6.0 not this letter: Dear Hazel"),
        ("DATA", "451 4.3.0 not now"),
    ],
)
def test_what_fails_before_the_letter_or_is_refused_in_so_many_words_certainly_did_not_leave(
    tmp_path: Path, phase: str, answer: str
) -> None:
    with smtp_house() as house:
        house.answers[phase] = answer
        with pytest.raises(Rejected) as caught:
            deliver(channel(house, tmp_path))
        assert house.taken == []
        assert "@" not in str(caught.value) and "Hazel" not in str(caught.value), "kept for good, so nobody's words"
        house.answers.clear()
        deliver(channel(house, tmp_path))
    assert len(house.taken) == 1, "what certainly did not leave may be handed in again"


@pytest.mark.parametrize("answer", ["hang up", "354 go on"])
def test_a_letter_that_was_given_without_an_answer_is_unknown_and_never_handed_in_again(
    tmp_path: Path, answer: str
) -> None:
    with smtp_house() as house:
        house.answers["DATA"] = answer
        with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is, it is not Rejected
            deliver(channel(house, tmp_path))
        assert not isinstance(caught.value, Rejected)
        house.answers.clear()
        given_so_far = len(house.taken)
        with pytest.raises(InDoubt):
            deliver(channel(house, tmp_path))
        assert len(house.taken) == given_so_far


def test_a_server_that_puts_us_off_before_the_letter_is_asked_again(tmp_path: Path) -> None:
    with smtp_house() as house:
        house.answers["RCPT"], house.once = "450 4.2.0 greylisted", True
        deliver(channel(house, tmp_path, pauses=(0.01,)))
    assert [phase for phase in house.phases if phase == "RCPT"] == ["RCPT", "RCPT"]
    assert len(house.taken) == 1


def test_no_server_at_all_is_certain(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="lost in the connection"):
        deliver(channel(SmtpHouse(port=free_port()), tmp_path))


def test_a_server_that_never_answers_is_cut_off_when_the_time_is_over(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Server("localhost", silent.getsockname()[1], "none", seconds=0.3)
        with pytest.raises(Rejected, match="lost"):
            deliver(SmtpChannel(server, "help@team.example", IDS, Journal(tmp_path), pauses=()))


def test_a_journal_that_cannot_be_written_lets_no_letter_go(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with smtp_house() as house, pytest.raises(Rejected, match="journal"):
        deliver(channel(house, tmp_path / "file"))
    assert house.taken == []


# ── to whom ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_over_tls_it_logs_in_and_the_letter_arrives(tmp_path: Path, certificates: Certificates, security: str) -> None:
    trust = ssl.create_default_context(cafile=certificates.ca_file)
    with smtp_house(certificates, tls=security == "tls", login="open sesame") as house:
        server = Server("localhost", house.port, security, "help@team.example", trust, seconds=30.0)
        credential = ChannelCredential("open sesame")
        deliver(SmtpChannel(server, "help@team.example", IDS, Journal(tmp_path), credential=credential, pauses=()))
        assert len(house.taken) == 1
        wrong = ChannelCredential("a wrong one")
        with pytest.raises(Rejected, match="refused the log-in: 535"):
            deliver(
                SmtpChannel(server, "help@team.example", IDS, Journal(tmp_path), credential=wrong, pauses=()), "r-2"
            )
        assert len(house.taken) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_cannot_show_who_it_is_gets_neither_password_nor_letter(
    tmp_path: Path, certificates: Certificates, security: str, host: str
) -> None:
    # Once an authority that nobody trusts, once the right one for another name.
    trust = ssl.create_default_context(cafile=certificates.ca_file if host != "localhost" else None)
    with smtp_house(certificates, tls=security == "tls", login="open sesame") as house:
        server = Server(host, house.port, security, "help@team.example", trust, seconds=30.0)
        credential = ChannelCredential("open sesame")
        with pytest.raises(Rejected, match="not who it should be"):
            deliver(SmtpChannel(server, "help@team.example", IDS, Journal(tmp_path), credential=credential))
    assert house.taken == []


def test_a_server_without_starttls_gets_nothing_in_clear(tmp_path: Path, certificates: Certificates) -> None:
    trust = ssl.create_default_context(cafile=certificates.ca_file)
    with smtp_house() as house:
        server = Server("localhost", house.port, "starttls", trust=trust, seconds=10.0)
        with pytest.raises(Rejected, match="STARTTLS"):
            deliver(SmtpChannel(server, "help@team.example", IDS, Journal(tmp_path), pauses=()))
    assert set(house.phases) == {"EHLO"}


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "hazel",
        "hazel@maplefinch.example, mallory@collector.example",
        "hazel@maplefinch.example\r\nRCPT TO:<mallory@collector.example>",
        "Hazel <hazel@maplefinch.example>",
        '"ha zel"@maplefinch.example',
        "ha\u202ezel@maplefinch.example",
        "hazel\u200b@maplefinch.example",
        "hazel@maplefinch\uff0eexample",
        "hazel@\u2488com.example",
    ],
)
def test_a_recipient_that_is_not_one_plain_address_is_rejected(tmp_path: Path, recipient: str) -> None:
    with smtp_house() as house, pytest.raises(Rejected, match="recipient"):
        deliver(channel(house, tmp_path), recipient=recipient)
    assert house.phases == []


def test_a_domain_of_another_alphabet_goes_as_mail_carries_it(tmp_path: Path) -> None:
    with smtp_house() as house:
        deliver(channel(house, tmp_path), recipient="hazel@bücher.example")
    assert house.taken[0].rcpt_tos == ["hazel@xn--bcher-kva.example"]


def test_a_name_of_another_alphabet_goes_where_the_server_carries_it_and_else_nowhere(tmp_path: Path) -> None:
    with smtp_house() as house:
        deliver(channel(house, tmp_path), recipient="josé@bücher.example")
    (taken,) = house.taken
    assert taken.rcpt_tos == ["josé@xn--bcher-kva.example"]
    assert isinstance(taken.content, bytes) and "To: josé@xn--bcher-kva.example".encode() in taken.content
    with smtp_house(wide=False) as plain, pytest.raises(Rejected, match="SMTPUTF8"):
        deliver(channel(plain, tmp_path), key="r-2", recipient="josé@bücher.example")
    assert plain.taken == []


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_address_is_one_line_with_one_at_or_none_at_all(local: str, domain: str) -> None:
    try:
        carried = mail_address(f"{local}@{domain}")
    except ValueError:
        return
    assert carried.count("@") == 1
    assert not any(c.isspace() or c in '<>,;:"()[]\\' or ord(c) < 33 for c in carried)
    assert carried.partition("@")[2].isascii()


@pytest.mark.parametrize(
    "headers",
    [
        {"In-Reply-To": "<a@b.example>\r\nBcc: mallory@collector.example"},
        {"In-Reply-To": "<a b@c.example>"},
        {"References": "<a@b.example>  <c@d.example>"},
        {"References": "words"},
        {"In-Reply-To": f"<{'a' * 250}@b.example>"},
        {"Bcc": "<mallory@collector.example>"},
    ],
)
def test_a_threading_header_holds_message_ids_and_nothing_else(tmp_path: Path, headers: dict[str, str]) -> None:
    with smtp_house() as house, pytest.raises(Rejected, match="header"):
        deliver(channel(house, tmp_path), headers=headers)
    assert house.phases == []


def test_a_message_id_can_be_made_only_with_the_key_and_the_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "own" / "mail.key"
    made, again = open_message_ids(file), open_message_ids(file)
    assert made.of("r-1", "team.example") == again.of("r-1", "team.example")
    assert made.of("r-1", "team.example") != IDS.of("r-1", "team.example")
    assert again.is_of(made.of("r-1", "elsewhere.example"), "r-1")
    assert not IDS.is_of(made.of("r-1", "team.example"), "r-1")
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("rubbish")
    with pytest.raises(SettingsError, match="no key"):
        open_message_ids(file)


# ── through the post room ───────────────────────────────────────────────────────────────────────────────────


def test_the_answer_to_a_mail_stands_under_it_and_what_nobody_knows_calls_a_person(
    tmp_path: Path, house: House
) -> None:
    mail = IncomingMessage(
        TICKET, "m-2", "email", "Seats", TO, "Hazel", True, "A-1001", TO, "And now?", message_id="<second@c.example>"
    )
    house.intake.receive(mail)
    house.propose("r-1", "first")
    with smtp_house() as server:
        room = PostRoom(house.post, house.history, channel(server, tmp_path), lambda: house.view)
        assert [d.state.value for d in room.deliver_waiting()] == ["sent"]
        house.propose("r-2", "second")
        server.answers["DATA"] = "hang up"
        assert [d.state.value for d in room.deliver_waiting()] == ["unknown"]
        house.propose("r-3", "third")
        server.answers["DATA"] = "554 5.6.0 no"
        assert [d.state.value for d in room.deliver_waiting()] == ["failed"]
    first, second = (message_from_bytes(bytes(t.content or b""), policy=policy.default) for t in server.taken)
    assert (first["In-Reply-To"], first["References"]) == ("<second@c.example>", "<second@c.example>")
    assert second["References"].split() == [first["Message-ID"], "<second@c.example>"]
    assert house.reviews.of_ticket(TICKET) is not None


# ── the settings ────────────────────────────────────────────────────────────────────────────────────────────

SMTP = '[channel]\nkind = "smtp"\nhost = "mail.team.example"\nsender = "help@team.example"\n'


@pytest.mark.parametrize(
    ("text", "env", "advice"),
    [
        ('[channel]\nkind = "smtp"\n', {}, "channel.host"),
        (f'{SMTP}security = "none"\n', {}, "would send every word in clear"),
        (f'{SMTP}username = "help"\n', {}, "LANEWISE_CHANNEL_SECRET is not in the environment"),
        (SMTP, {"LANEWISE_CHANNEL_SECRET": "x"}, "there is no channel.username"),
        (f'{SMTP}ca_file = "nowhere.pem"\n', {}, "certificates cannot be used"),
        (f"{SMTP}port = 0\n", {}, "channel.port"),
        (f'{SMTP}password = "x"\n', {}, "a secret never stands in this file"),
        ('[mailbox]\nhost = "mail.team.example"\n', {}, "mailbox.username"),
        ('[mailbox]\nhost = "mail.team.example"\nusername = "u"\nsecurity = "none"\n', {}, "in clear"),
    ],
)
def test_mail_settings_that_cannot_be_meant_are_named(
    tmp_path: Path, text: str, env: dict[str, str], advice: str
) -> None:
    import sys

    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(SettingsError, match=advice):
        channel_for(load_settings(tmp_path, {}), env, sys.stdout)


def test_the_settings_open_the_channel_and_its_secret_leaves_the_environment(tmp_path: Path) -> None:
    import sys

    (tmp_path / FILE_NAME).write_text(f'{SMTP}username = "help"\n')
    env = {"LANEWISE_CHANNEL_SECRET": "open sesame"}
    opened = channel_for(load_settings(tmp_path, {}), env, sys.stdout)
    assert (opened.name, env) == ("smtp", {})
    assert "open sesame" not in repr(opened)


def test_mail_files_carry_ids_that_nobody_can_guess_where_answers_can_come_back(tmp_path: Path) -> None:
    import sys

    box = '[mailbox]\nhost = "imap.team.example"\nusername = "u"\n'
    for text, ours in ((f'[channel]\nkind = "eml"\n{box}', True), ('[channel]\nkind = "eml"\n', False)):
        (tmp_path / FILE_NAME).write_text(text)
        opened = channel_for(load_settings(tmp_path, {}), {}, sys.stdout)
        ref = opened.deliver(f"r-{ours}", recipient=TO, subject="s", body="w", headers={})
        assert looks_ours(ref) is ours
    assert open_message_ids(tmp_path / ".lanewise" / "mail.key").is_of(opened_id(tmp_path), "r-True"), (
        "the mail room knows it by the same key"
    )


def opened_id(folder: Path) -> str:
    """The Message-ID of the one mail file that has one of our own form."""
    found = [message_from_bytes(f.read_bytes())["Message-ID"].strip() for f in (folder / "outbox").glob("*.eml")]
    return next(one for one in found if looks_ours(one))
