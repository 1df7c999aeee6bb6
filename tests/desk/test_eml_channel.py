"""The channel that writes mail: what stands in the file, once a key, and nothing a customer wrote can steer it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.channels.credential import ENV_NAME, ChannelCredential
from desk.channels.eml import SEAL_HEADER, EmlChannel, one_line, words_of
from desk.errors import Rejected

KEY = "T-1/answer/7"
TO = "hazel@maplefinch.example"
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
WORDS = "Hello,\n\nseats are added under Settings – then Billing.\n"


def channel(folder: Path, credential: ChannelCredential | None = None) -> EmlChannel:
    """A channel with a fixed clock."""
    return EmlChannel(folder, "support@quillstone.example", credential=credential, clock=lambda: NOON)


def deliver(
    where: EmlChannel,
    *,
    key: str = KEY,
    recipient: str = TO,
    subject: str = "Re: Seats",
    body: str = WORDS,
    headers: dict[str, str] | None = None,
) -> str:
    """Delivers a letter that is harmless but for what a test changes."""
    return where.deliver(key, recipient=recipient, subject=subject, body=body, headers=headers or {})


def only_file(folder: Path) -> bytes:
    """The one file in the folder."""
    (file,) = folder.iterdir()
    return file.read_bytes()


def read(raw: bytes) -> EmailMessage:
    """The letter as a mail program reads it."""
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_letter_is_a_readable_mail_with_exactly_the_words_it_was_given(tmp_path: Path) -> None:
    ref = deliver(channel(tmp_path), headers={"Auto-Submitted": "auto-replied"})
    raw = only_file(tmp_path)
    mail = read(raw)
    assert mail["From"] == "support@quillstone.example"
    assert mail["To"] == TO
    assert mail["Subject"] == "Re: Seats"
    assert mail["Message-ID"] == ref
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["Date"].datetime == NOON
    assert mail.get_content_type() == "text/plain"
    assert words_of(raw) == WORDS
    assert b"seats are added under Settings" in raw, "a person can read the file as it lies there"


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.text(st.sampled_from(" \t\r\n.=-aF\0\x0b\x85\u2028é"), max_size=60)
)
def test_the_bytes_that_are_sent_are_the_bytes_that_were_given(words: str) -> None:
    raw = channel(Path())._letter("<a@b.example>", TO, "s", words, {})
    assert words_of(raw) == words
    assert all(len(line) <= 998 for line in raw.split(b"\r\n")), "RFC 5322's longest line"
    assert b"\n" not in raw.replace(b"\r\n", b""), "mail ends its lines with CRLF"


def test_the_same_key_makes_one_file_and_gives_the_same_reference(tmp_path: Path) -> None:
    first, second = deliver(channel(tmp_path)), deliver(channel(tmp_path))
    assert first == second
    assert len(list(tmp_path.iterdir())) == 1
    assert deliver(channel(tmp_path), key="another") != first


def test_a_key_whose_file_holds_another_letter_is_rejected_and_the_first_letter_stays(tmp_path: Path) -> None:
    deliver(channel(tmp_path))
    before = only_file(tmp_path)
    with pytest.raises(Rejected, match="another letter"):
        deliver(channel(tmp_path), body=WORDS + "P.S. a refund is on its way")
    with pytest.raises(Rejected, match="another letter"):
        deliver(channel(tmp_path), recipient="somebody@else.example")
    assert only_file(tmp_path) == before


def test_many_threads_with_one_key_make_one_file(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        refs = set(pool.map(lambda _: deliver(channel(tmp_path)), range(64)))
    assert len(refs) == 1
    assert len(list(tmp_path.iterdir())) == 1


def _deliver_in(folder: str) -> str:
    return deliver(channel(Path(folder)))


def test_many_processes_with_one_key_make_one_file(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        refs = set(pool.map(_deliver_in, [str(tmp_path)] * 12))
    assert len(refs) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_crash_while_writing_leaves_no_letter_that_a_relay_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", power_cut)
    with pytest.raises(KeyboardInterrupt):
        deliver(channel(tmp_path))
    assert not list(tmp_path.glob("[!.]*")), "a draft begins with a dot, and no .eml stands there"
    monkeypatch.undo()
    deliver(channel(tmp_path))
    assert len(list(tmp_path.glob("[!.]*.eml"))) == 1


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "hazel",
        "hazel@maplefinch.example, mallory@collector.example",
        "hazel@maplefinch.example;mallory@collector.example",
        "hazel@maplefinch.example\r\nBcc: mallory@collector.example",
        "hazel@maplefinch.example\nBcc: mallory@collector.example",
        "hazel@maplefinch.example\n",
        "hazel@maplefinch.example\u2028Bcc: mallory@collector.example",
        "Hazel <hazel@maplefinch.example>",
        "friends: hazel@maplefinch.example, mallory@collector.example;",
        '"a,b"@maplefinch.example',
        "hazel(comment)@maplefinch.example",
        "hazel@maplefinch.example mallory@collector.example",
        "=?utf-8?q?mallory=40collector.example=2C?= hazel@maplefinch.example",
        "hazel@[127.0.0.1]",
        "hazel@mäplefinch.example",
        "hazel@maplefinch.example\0",
        "a" * 65 + "@maplefinch.example",
        "a@" + "b" * 250 + ".example",
    ],
)
def test_anything_but_one_plain_address_is_rejected_and_nothing_is_written(tmp_path: Path, recipient: str) -> None:
    with pytest.raises(Rejected, match="recipient"):
        deliver(channel(tmp_path / "out"), recipient=recipient)
    assert not (tmp_path / "out").exists()


@given(st.text(max_size=400) | st.text(st.sampled_from("\r\n\0\x0b\x85\u2028\u2029: BccTo@a=?")), st.data())
def test_no_subject_can_add_a_header_or_a_recipient(subject: str, data: st.DataObject) -> None:
    attack = subject + data.draw(
        st.sampled_from(
            [
                "",
                "\r\nBcc: m@c.example",
                "\nTo: m@c.example",
                "\r\rCc: m@c.example",
                "=?utf-8?q?x=0D=0ABcc:_m=40c.example?=",
            ]
        )
    )
    raw = channel(Path())._letter("<a@b.example>", TO, attack, WORDS, {})
    mail = read(raw)
    assert sorted(mail.keys()) == sorted(
        ["Message-ID", "Date", "From", "To", "Subject", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    )
    assert mail["To"] == TO
    assert words_of(raw) == WORDS


def test_a_subject_cannot_be_read_backwards_nor_run_on_for_ever() -> None:
    assert one_line("Re: \u202eexe.fdp\u200b  now\r\n\r\nbody") == "Re: exe.fdp now body"
    assert len(one_line("long " * 1000)) <= 150


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Bcc", "mallory@collector.example"),
        ("Reply-To", "mallory@collector.example"),
        ("Auto-Submitted", "auto-replied\r\nBcc: mallory@collector.example"),
        ("Auto-Submitted", "no"),
        ("X: y\r\nBcc", "mallory@collector.example"),
    ],
)
def test_a_header_that_is_not_on_the_short_list_is_rejected(tmp_path: Path, header: str, value: str) -> None:
    with pytest.raises(Rejected, match="header"):
        deliver(channel(tmp_path), headers={header: value})
    assert not list(tmp_path.iterdir())


def test_a_body_that_looks_like_headers_stays_a_body(tmp_path: Path) -> None:
    deliver(channel(tmp_path), body="Bcc: mallory@collector.example\r\n\r\n.\r\nQUIT\r\n")
    mail = read(only_file(tmp_path))
    assert mail["Bcc"] is None
    assert words_of(only_file(tmp_path)) == "Bcc: mallory@collector.example\r\n\r\n.\r\nQUIT\r\n"


def test_words_that_no_mail_can_carry_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="surrogate"):
        deliver(channel(tmp_path), body="half a sign: \ud83d")


def test_a_key_with_path_signs_stays_inside_the_folder(tmp_path: Path) -> None:
    deliver(channel(tmp_path / "out"), key="../../etc/passwd\0\n")
    assert [p.parent for p in tmp_path.rglob("*.eml")] == [tmp_path / "out"]


def test_a_folder_that_takes_no_file_means_certainly_not_delivered(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file stands where the folder should be")
    with pytest.raises(Rejected, match="no letter can be written"):
        deliver(channel(tmp_path / "out"))


def test_a_trouble_once_the_file_stands_is_not_called_a_rejection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def broken(path: object, flags: int, *more: int) -> int:
        if path == tmp_path:
            raise FileNotFoundError("the disk went away")
        return real(path, flags, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(FileNotFoundError):
        deliver(channel(tmp_path))


def test_a_sender_that_is_no_plain_address_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="plain e-mail address"):
        EmlChannel(tmp_path, "Support <support@quillstone.example>\nBcc: x@y.example")


def test_a_credential_leaves_the_environment_and_cannot_be_printed_or_copied() -> None:
    env = {ENV_NAME: "made-up-secret", "HOME": "/"}
    credential = ChannelCredential.take(env)
    assert credential is not None
    assert env == {"HOME": "/"}
    assert "made-up-secret" not in repr(credential)
    with pytest.raises(TypeError):
        pickle.dumps(credential)
    assert ChannelCredential.take(env) is None
    assert ChannelCredential.take({ENV_NAME: "  "}) is None


def test_a_credential_seals_a_letter_and_another_secret_or_word_gives_another_seal(tmp_path: Path) -> None:
    seals = set()
    for place, secret, words in (("a", "sesame-1", WORDS), ("b", "sesame-2", WORDS), ("c", "sesame-1", WORDS + "!")):
        deliver(channel(tmp_path / place, ChannelCredential(secret)), body=words)
        raw = only_file(tmp_path / place)
        assert secret.encode() not in raw
        seals.add(read(raw)[SEAL_HEADER])
    assert len(seals) == 3
    credential = ChannelCredential("one")
    assert credential.seal("ab", "c") != credential.seal("a", "bc")
