"""What an e-mail address may look like when a text goes to it: one, plain; ASCII, or what mail carries of other alphabets."""

from __future__ import annotations

import re
import unicodedata

import idna

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_LOCAL}@{_LABEL}(?:\.{_LABEL})*\Z")
"""RFC 5322's dot-atom form with RFC 5321's lengths. Quoted local parts, comments, lists, groups and display names are
left out on purpose: each has carried a second recipient or a header somewhere before."""
_OTHER = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"})
"""What a local part may hold beyond ASCII: letters, their marks, digits. No space, sign, control or format character."""


def plain_address(text: str) -> str:
    """The same text, where it is exactly one plain address; ValueError where it is anything else."""
    if _ADDRESS.match(text) is None:
        raise ValueError(f"{text[:80]!r} is not one plain e-mail address such as name@company.example")
    return text


def mail_address(text: str) -> str:
    """The address as mail carries it: the domain in ASCII (``xn--…``), the local part as it is.

    A local part beyond ASCII (RFC 6531) is in normal form C and holds letters, marks and digits of other alphabets
    besides what a plain address may hold. ValueError where it is anything but one such address.
    """
    local, _, domain = text.rpartition("@")
    try:
        # Strict: what a look-alike dot or letter would be folded into is another domain.
        carried = domain if domain.isascii() else idna.encode(domain, strict=True, std3_rules=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{text[:80]!r} has a domain that no mail can go to") from error
    stands_for = "".join("a" if not c.isascii() and unicodedata.category(c) in _OTHER else c for c in local)
    fits = unicodedata.is_normalized("NFC", local) and len(local.encode("utf-8", "surrogatepass")) <= 64
    if not fits or _ADDRESS.match(f"{stands_for}@{carried}") is None:
        raise ValueError(f"{text[:80]!r} is not one plain e-mail address such as name@company.example")
    return f"{local}@{carried}"
