"""What an e-mail address may look like when a text goes to it: one, plain, and nothing but ASCII."""

from __future__ import annotations

import re

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_LOCAL}@{_LABEL}(?:\.{_LABEL})*\Z")
"""RFC 5322's dot-atom form with RFC 5321's lengths. Quoted local parts, comments, lists, groups and display names are
left out on purpose: each has carried a second recipient or a header somewhere before."""


def plain_address(text: str) -> str:
    """The same text, where it is exactly one plain address; ValueError where it is anything else."""
    if _ADDRESS.match(text) is None:
        raise ValueError(f"{text[:80]!r} is not one plain e-mail address such as name@company.example")
    return text
