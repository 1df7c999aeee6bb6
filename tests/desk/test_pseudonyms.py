"""Real names and addresses do not come into a proposed case, and what is left still reads as a letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.audits.pseudonyms import COMPANY, DOMAIN, Pseudonyms


def names(*texts: str) -> Pseudonyms:
    made = Pseudonyms("Hazel Lindqvist", "hazel.lindqvist@maplefinch.example", ["Maple & Finch Ltd"])
    for text in texts:
        made.learn(text)
    return made


def test_the_requester_is_replaced_however_they_are_written() -> None:
    told = names().replaced("Hazel here. HAZEL LINDQVIST, lindqvist, hazel.lindqvist@maplefinch.example")
    assert told == f"Robin here. ROBIN DALE, Dale, robin@{DOMAIN}".replace("ROBIN DALE", "Robin Dale")


def test_the_company_and_its_domain_are_replaced_wherever_they_stand() -> None:
    told = names().replaced("We at Maple & Finch Ltd (maplefinch) use https://app.maplefinch.example/x?a=1.")
    assert told == f"We at {COMPANY} ({COMPANY}) use https://app.{DOMAIN}/x?a=1."


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Hi Bartholomew,\nwhere is it? Bartholomew said he knew.", "Bartholomew"),
        ("Dear Ms Okonkwo,\nplease help.", "Okonkwo"),
        ("Where is it?\n\nKind regards\nSiobhan Byrne", "Siobhan"),
        ("Where is it?\n\nThanks,\n\nSiobhan Byrne", "Byrne"),
        ("My colleague Thaddeus cannot sign in.", "Thaddeus"),
        ("My name is Zsofia and I wait.", "Zsofia"),
        ("Hello Ingrid and all, where is it?", "Ingrid"),
    ],
)
def test_names_are_told_by_where_they_stand_in_a_letter(text: str, gone: str) -> None:
    told = names(text).replaced(text)
    assert gone not in told
    assert len(told.split()) == len(text.split()), "the rest of the letter stands"


def test_the_same_person_has_the_same_name_in_every_message_and_two_people_have_two() -> None:
    first, second = "Hi Bartholomew,\nwhere is it?", "Hello Thaddeus,\nBartholomew does not know."
    made = names(first, second)
    one = made.replaced(first).split()[1].rstrip(",")
    assert made.replaced(second).split()[2] == one
    assert made.replaced(second).split()[1].rstrip(",") != one


def test_other_addresses_keep_apart_and_secrets_are_gone() -> None:
    told = names().replaced("From kim@other.example to lee@other.example: password: hunter2x. Call +44 20 7946 0958.")
    assert "other.example" not in told and "hunter2x" not in told and "7946" not in told
    addresses = [word.rstrip(":") for word in told.split() if "@" in word]
    assert len(set(addresses)) == 2 and all(a.endswith(f"@{DOMAIN}") for a in addresses)


@pytest.mark.parametrize(
    "text",
    [
        "Hello Support, where is the audit log?",
        "Hello there,\nwhere is it?\n\nMany thanks",
        "Will you mark it, and may I grant it? I am on the Team plan.",
        "Thanks,\nBest",
    ],
)
def test_words_that_are_no_names_stay(text: str) -> None:
    assert names(text).replaced(text) == text


def test_a_short_name_in_small_letters_is_taken_for_a_word() -> None:
    made = Pseudonyms("Will May", "w@x.example")
    assert made.replaced("Will wrote: will it may be so?") == "Robin wrote: will it may be so?"


@given(st.text(max_size=200))
def test_no_text_breaks_it_and_without_names_nothing_is_invented(text: str) -> None:
    made = Pseudonyms("", "")
    made.learn(text)
    assert isinstance(made.replaced(text), str)
