"""The channel that shows letters on a terminal."""

from __future__ import annotations

import io

import pytest

from desk.channels.console import ConsoleChannel
from desk.errors import Rejected


def test_a_letter_is_shown_once_a_key() -> None:
    stream = io.StringIO()
    console = ConsoleChannel(stream)
    refs = {
        console.deliver("k", recipient="a@b.example", subject="Re: Seats", body="Hello,\nyes.", headers={})
        for _ in range(2)
    }
    assert len(refs) == 1
    assert stream.getvalue().count("To: a@b.example\nSubject: Re: Seats\n\nHello,\nyes.\n") == 1


def test_a_customers_words_cannot_rewrite_the_operators_screen() -> None:
    stream = io.StringIO()
    ConsoleChannel(stream).deliver(
        "k",
        recipient="a@b.example",
        subject="x\nTo: c@d.example",
        body="\x1b[2J\x1b]0;pwned\x07\r\u202eback",
        headers={},
    )
    shown = stream.getvalue()
    assert not any(sign in shown for sign in "\x1b\x07\r\u202e")
    assert "\nTo: c@d.example" not in shown


def test_a_recipient_that_is_no_address_is_rejected() -> None:
    with pytest.raises(Rejected):
        ConsoleChannel(io.StringIO()).deliver("k", recipient="nobody", subject="", body="", headers={})
