"""The ways in which words are hidden from a reader by rule, and the texts that come out when each is undone."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import quopri
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

MOST = 12
"""Readings of one text that are screened; a text that hides more than this is not worth reading."""

# Whole words of these letters pass for Latin ones on every screen; NFKC leaves them alone.
_SAME_LOOK = str.maketrans(
    "АВЕКМНОРСТХУаеорсухіјѕԁһӏԛԝүкмтнвгпиΑΒΕΖΗΙΚΜΝΟΡΤΥΧαοιυνκτρεηωՕօոսհցքɑɡıƖǃ",
    "ABEKMHOPCTXYaeopcyxijsdhlqwykmthbrnuABEZHIKMNOPTYXaoiuvktpenwOonuhgqagill",
)
_LATIN = re.compile(r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?([A-Z])(?: WITH .*)?$")
_LEET = str.maketrans("013457$@€", "oleastsae")
_LEET_WORD = re.compile(r"(?<![\w$@€])(?=[^\W013457]*+[013457$@€])[\w$@€]{2,}+")
_SPACED = re.compile(r"(?<!\w)\w([ \t.\-_*·/|,])\w(?:\1\w)+(?!\w)")
_JOINTS = re.compile(r"[ \t.\-_*·/|,]")
_SPACED_END = re.compile(r"([ \t.\-_*·/|,])\w\1\w(?!\w)")
"""How every match of _SPACED ends; it begins with a rare sign, so that it is searched for much faster."""
_MARKUP = re.compile(
    r"</?[a-zA-Z][^<>\n]{0,200}>|<!--.*?-->|!?\[([^\]\n]{0,200})\]\([^)\n]{0,300}\)|[*_~`\\|]+", re.DOTALL
)
SHORTEST_CODE = 16
"""Characters: what is shorter is never read as base64 or hex."""
_HYPHENATED = re.compile(r"(?<=\w)-\s*\n\s*(?=\w)")
_B64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?<!\w)(?:[0-9a-fA-F]{2}:?){8,}(?!\w)")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_PUNY = re.compile(r"\bxn--[a-z0-9-]+", re.IGNORECASE)
_ESCAPES = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_FREQUENT = (
    "the you your we have will refund credit password and for is within wir sie ihr fur haben ein eine einen nous vous "
    "votre pour une des hemos su para usted un una abbiamo lei per il la uno voce vai um uma een wij uw van ons u"
)
_TURNED = frozenset(codecs.encode(_FREQUENT, "rot13").split())
_BACKWARDS = frozenset(_FREQUENT[::-1].split())
_MARKS = "<[*_~`\\|"
_LINE_JOINT = re.compile(r"-\s*\n")
_MIXED = re.compile(r"[013457$@€](?:(?<=[^\W\d_].)|(?=[^\W\d_]))")
_FROM_LEET = re.compile(r"[013457$@€]\S*")
"""From a digit for a letter to the next white space; no match of _LEET_WORD has its first such digit elsewhere."""


_Words: TypeAlias = frozenset[str]
"""What stands between a text's white space, in lower case."""


def readings(text: str) -> tuple[str, ...]:
    """The text, and what it says with each disguise undone (and then with the others); at most MOST, the text first.

    Undone are letters that look like others, digits for letters, letters spaced out, mark-up within words, hyphenation,
    HTML entities, percent, backslash and quoted-printable escapes, base64, hex, punycode, rot13 and reversal. A second
    reading is only ever screened: nothing that is sent or shown is made of it.
    """
    found = [text]
    for known in found:
        words = frozenset(known.lower().split())
        for undo in _UNDO:
            if len(found) >= MOST:
                return tuple(found)
            other = undo(known, words)
            if other != known and other not in found:
                found.append(other)
    return tuple(found)


def _entities(text: str, words: _Words) -> str:
    return html.unescape(text) if "&" in text else text


def _percent(text: str, words: _Words) -> str:
    if "%" not in text:
        return text
    return _PERCENT.sub(lambda m: bytes.fromhex(m.group().replace("%", "")).decode("utf-8", "ignore"), text)


def _quoted_printable(text: str, words: _Words) -> str:
    if "=" not in text or not re.search(r"=(?:[0-9A-F]{2}|\r?\n)", text):
        return text
    return quopri.decodestring(text.encode("utf-8", "ignore")).decode("utf-8", "ignore")


def _backslashes(text: str, words: _Words) -> str:
    return _ESCAPES.sub(lambda m: chr(int(m.group(1) or m.group(2), 16)), text) if "\\" in text else text


def _markup(text: str, words: _Words) -> str:
    if not any(mark in text for mark in _MARKS) and not _LINE_JOINT.search(text):
        return text
    return _HYPHENATED.sub("", _MARKUP.sub(lambda m: m.group(1) or "", text))


def _look_alikes(text: str, words: _Words) -> str:
    if text.isascii():
        return text
    return "".join(_as_latin(c) for c in text)


@lru_cache(maxsize=4096)
def _as_latin(char: str) -> str:
    if char.isascii():
        return char
    same = char.translate(_SAME_LOOK)
    if same != char:
        return same
    named = _LATIN.search(unicodedata.name(char, ""))
    return named.group(1).lower() if named and not unicodedata.decomposition(char) else char


def _unspaced(text: str, words: _Words) -> str:
    return _SPACED.sub(lambda m: _JOINTS.sub("", m.group()), text) if _SPACED_END.search(text) else text


def _unleeted(text: str, words: _Words) -> str:
    if not _MIXED.search(text):
        return text
    parts: list[str] = []
    done = 0
    for digit in _FROM_LEET.finditer(text):
        # Only here can a word begin that _LEET_WORD finds: to try it at every letter costs six times as much.
        start = digit.start()
        while start > done and (text[start - 1].isalnum() or text[start - 1] in "_$@€"):
            start -= 1
        parts += text[done:start], _spelt(text[start : digit.end()])
        done = digit.end()
    return "".join((*parts, text[done:]))


def _spelt(part: str) -> str:
    """A text without white space, its digits as letters in every word that has a letter in it or after it."""
    last = len(part) - 1
    while last >= 0 and (part[last].isdecimal() or not part[last].isalnum()):
        last -= 1
    if last < 0:
        return part
    return _LEET_WORD.sub(lambda m: m.group().translate(_LEET) if m.start() <= last else m.group(), part)


def _decoded(text: str, words: _Words) -> str:
    if max(map(len, words), default=0) < SHORTEST_CODE:
        return text
    return _HEX.sub(_from_hex, _B64.sub(_from_base64, text))


def _from_base64(match: re.Match[str]) -> str:
    raw = match.group().replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return _if_words(base64.b64decode(raw + "=" * (-len(raw) % 4)), match.group())
    except (binascii.Error, ValueError):
        return match.group()


def _from_hex(match: re.Match[str]) -> str:
    try:
        return _if_words(bytes.fromhex(match.group().replace(":", "")), match.group())
    except ValueError:
        return match.group()


def _if_words(raw: bytes, otherwise: str) -> str:
    try:
        said = raw.decode("utf-8")
    except UnicodeDecodeError:
        return otherwise
    return said if said and all(c.isprintable() or c.isspace() for c in said) else otherwise


def _punycode(text: str, words: _Words) -> str:
    def spelt(match: re.Match[str]) -> str:
        try:
            return match.group().encode("ascii").decode("idna")
        except UnicodeError:
            return match.group()

    return _PUNY.sub(spelt, text) if "xn--" in text.lower() else text


def _turned(text: str, words: _Words) -> str:
    return codecs.encode(text, "rot13") if len(words & _TURNED) >= 2 else text


def _forwards(text: str, words: _Words) -> str:
    return text[::-1] if "\u202e" in text or len(words & _BACKWARDS) >= 2 else text


_UNDO: tuple[Callable[[str, _Words], str], ...] = (
    _entities,
    _percent,
    _quoted_printable,
    _backslashes,
    _punycode,
    _decoded,
    _markup,
    _look_alikes,
    _unspaced,
    _unleeted,
    _turned,
    _forwards,
)
