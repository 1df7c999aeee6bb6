"""What no model is shown, and what must stay readable all the same."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.masking import KINDS, mask

SECRETS = [
    # text, the part that must go, its kind
    ("my card 4111 1111 1111 1111 exp 12/27", "1111 1111", "card number"),
    ("order 5 4111-1111-1111-1111 ok", "4111", "card number"),
    ("amex 378282246310005.", "37828224", "card number"),
    ("full width ４１１１ １１１１ １１１１ １１１１", "１１１１", "card number"),
    ("hidden 4111\u200b1111\u200b1111\u200b1111", "4111", "card number"),
    ("glued card4111111111111111x", "41111111", "card number"),
    ("cvv: 123", "123", "card security code"),
    ("IBAN DE89 3704 0044 0532 0130 00 please", "3704", "bank account"),
    ("gb82west12345698765432", "12345698", "bank account"),
    ("password: hunter2!", "hunter2", "password"),
    ("My password is letmein.", "letmein", "password"),
    ("my password is Summer2026 and it fails", "Summer2026", "password"),
    ('the passwort lautet "geheimnis"', "geheimnis", "password"),
    ("mot de passe : soleil77", "soleil77", "password"),
    ("pass: hunter2", "hunter2", "password"),
    ("Password for the wifi is sunshine.", "sunshine", "password"),
    ("the password I used was qwerty, and it fails", "qwerty", "password"),
    ("curl -u admin:s3cret http://x", "s3cret", "password"),
    ("security answer: fluffy", "fluffy", "password"),
    ("the token we use: abc-def-1", "abc-def", "secret"),
    ("my pin number is 4821", "4821", "one-time code"),
    ("4111\n1111\n1111\n1111", "1111", "card number"),
    ("the code never comes to +1 555 123 4567", "555", "phone"),
    ("pwd=abc123def", "abc123", "password"),
    ("git clone https://user:pa55word@host/x", "pa55word", "password"),
    ("api key sk-abcdefghijklmnopqrstuvwx", "abcdefgh", "secret"),
    ("api_key = 'abc123def'", "abc123def", "secret"),
    ('{"client_secret": "zzz-yyy-xxx"}', "zzz-yyy", "secret"),
    ("Authorization: Bearer abc.def.ghi", "abc.def", "secret"),
    ("curl -H 'Authorization: Basic dXNlcjpwYXNz'", "dXNlcjpw", "secret"),
    ("Bearer abcdef1234567890", "abcdef12", "secret"),
    ("Cookie: session=1a2b3c; other=4", "1a2b3c", "secret"),
    ("AWS AKIAIOSFODNN7EXAMPLE", "IOSFODNN", "secret"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghijkl", "secret"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "hbGci", "secret"),
    ("the key 9f86d081884c7d659a2feaa0c55ad015", "9f86d081", "secret"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY----- bye", "MIIE", "private key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz and cut off", "b3Blb", "private key"),
    ("your code is 123456", "123456", "one-time code"),
    ("code: 482 913", "482 913", "one-time code"),
    ("482913 is my verification code", "482913", "one-time code"),
    ("G-482913", "482913", "one-time code"),
    ("the PIN 1234 does nothing", "1234", "one-time code"),
    ("mail jane.doe+x@acme.example now", "jane.doe", "email"),
    ("call +49 170 1234567", "1234567", "phone"),
    ("call (555) 123-4567 or 555-123-4567", "123-4567", "phone"),
    ("0049 (0)30 123456", "123456", "phone"),
    ("Tel: 12345678", "12345678", "phone"),
]

HARMLESS = [
    "my password is expired.",
    "Password: how do I reset it?",
    "the password is not accepted, and the password reset link doesn't work",
    "is the token valid? The API token is missing",
    "bearer of bad news; the secret sauce",
    "error code 4031 and status code 500, error code: 0x80070005",
    "promo code 12345678 and zip code 90210",
    "invoice INV-2026-004512 of 2026-11-23 for $1,299.00, due 23.11.2026 10:30",
    "IP 192.168.100.200, version 10.4.22",
    "order 1234567890123 has 12 345 678 rows",
    "ticket 123e4567-e89b-12d3-a456-426614174000",
    "2FA codes were not sent in 2025 to 4 users",
    "we pay for 24 seats at 12.50 each since 1700000000",
    "a-very-long-hyphenated-slug-of-an-article-about-exports",
    "My code isn't arriving, account 123456",
    "the password for my account is expired, the one for the portal is wrong",
    "what is the password for? the token for the API is missing",
    "internationalization-of-counterrevolutionaries",
]


@pytest.mark.parametrize(("text", "gone", "kind"), SECRETS)
def test_a_secret_is_masked_and_its_kind_named(text: str, gone: str, kind: str) -> None:
    masked = mask(text)
    assert gone not in masked.text
    assert kind in masked.kinds
    assert gone not in repr(masked)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert mask(text).text == text
    assert mask(text).kinds == ()


def test_the_words_around_a_secret_stay() -> None:
    assert mask("order 5 4111 1111 1111 1111, thanks").text == "order 5 [masked card number], thanks"
    assert mask("my password is Summer2026 and it fails").text == "my password is [masked password] and it fails"


def test_one_address_has_one_name_wherever_it_stands() -> None:
    masked = mask("from jo@a.example to al@b.example, cc jo@a.example, call +49 170 1234567")
    assert masked.text == "from [email 1] to [email 2], cc [email 1], call [phone 1]"
    assert masked.restored("to [email 2], cc [email 1]") == "to al@b.example, cc jo@a.example"
    assert masked.restored("[email 9]") == "[email 9]"


def test_what_was_masked_for_good_cannot_be_restored() -> None:
    masked = mask("my password is Summer2026 and jo@a.example is mine")
    assert masked.restored(masked.text) is None
    assert "Summer2026" not in str(masked.names)


def test_kinds_come_in_their_written_order() -> None:
    masked = mask("jo@a.example 4111111111111111 password: hunter2")
    assert list(masked.kinds) == [kind for kind in KINDS if kind in masked.kinds]


@pytest.mark.parametrize(("text", "gone", "kind"), SECRETS)
def test_masking_twice_changes_nothing_more(text: str, gone: str, kind: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


parts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [text for text, _, _ in SECRETS] + HARMLESS + ["[email 1]", "[masked password]", "password", "is", ":"]
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(parts, max_size=6).map(" ".join))
def test_any_text_is_masked_without_an_error_and_secrets_stay_hidden_among_others(text: str) -> None:
    masked = mask(text + "\ncard 4111 1111 1111 1111\n")
    assert "4111 1111 1111 1111" not in masked.text


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1 ",
        "a@",
        "a.b@",
        "a",
        " ",
        "4111 ",
        "password: ",
        "secret is ",
        "bearer ",
        "code ",
        "code 1-",
        "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "DE89 ",
        "eyJ",
        "0",
        "+1 ",
        "authorization: ",
        "x1",
        "a-",
        "cvv ",
        "0123 ",
        "ghp_",
    ],
)
def test_200_kilobytes_of_anything_take_bounded_time(unit: str) -> None:
    begun = time.monotonic()
    mask(unit * (200_000 // len(unit)))
    assert time.monotonic() - begun < 8
