"""What no model is shown: cards, bank accounts, passwords, keys, codes; and addresses and phones under stable names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

KINDS = (
    "private key",
    "password",
    "secret",
    "bank account",
    "card number",
    "card security code",
    "one-time code",
    "email",
    "phone",
)
"""Every kind that can be masked, as the disclosure of what leaves for a provider lists them."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text as a model may see it."""

    text: str
    kinds: tuple[str, ...]
    """What was masked, each kind once, in the order of KINDS."""
    names: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """Placeholder to original, for e-mail addresses and phone numbers only: no secret is kept anywhere."""

    def restored(self, text: str) -> str | None:
        """A piece of the masked text with addresses and phones as the customer wrote them; None where it holds a
        secret's placeholder, for what was masked for good cannot be quoted."""
        return None if _FOR_GOOD.search(text) else self.readable(text)

    def readable(self, text: str) -> str:
        """A text written about the masked one, with the addresses and phones that stand in it under their names."""
        return _NAMED.sub(lambda found: self.names.get(found.group(), found.group()), text)


def mask(text: str) -> Masked:
    """The text without what no model may be shown, and which kinds that were.

    Secrets become ``[masked card number]``; an e-mail address or phone number becomes ``[email 1]``, the same one
    wherever the same value stands, so that the text still makes sense. Masking twice changes nothing more. It errs
    on the side of masking: a long number that passes the card check is taken for a card. Linear in the length.
    """
    found: set[str] = set()
    names: dict[str, str] = {}
    for kind, pattern, judge in _SECRETS:
        text = _hide(kind, pattern, judge, text, found)
    text = _name("email", _EMAIL, text, names, found)
    text = _name("phone", _PHONE, text, names, found)
    return Masked(text, tuple(kind for kind in KINDS if kind in found), {mark: was for was, mark in names.items()})


Judge = Callable[[re.Match[str]], tuple[int, int] | None]
"""Which part of a match is the secret, as offsets into the match; None where it is none after all."""

_FOR_GOOD = re.compile(r"\[masked (?:" + "|".join(KINDS) + r")\]")
_NAMED = re.compile(r"\[(?:email|phone) \d+\]")


def _hide(kind: str, pattern: re.Pattern[str], judge: Judge, text: str, found: set[str]) -> str:
    def hidden(match: re.Match[str]) -> str:
        part = judge(match)
        if part is None:
            return match.group()
        found.add(kind)
        whole = match.group()
        return f"{whole[: part[0]]}[masked {kind}]{whole[part[1] :]}"

    return pattern.sub(hidden, text)


def _name(kind: str, pattern: re.Pattern[str], text: str, names: dict[str, str], found: set[str]) -> str:
    # Numbers already in the text (a masked text masked again) are not given twice.
    taken = [int(number) for number in re.findall(rf"\[{kind} (\d{{1,6}})\]", text)]
    following = max(taken, default=0) + 1

    def named(match: re.Match[str]) -> str:
        nonlocal following
        was = match.group()
        found.add(kind)
        if was not in names:
            names[was] = f"[{kind} {following}]"
            following += 1
        return names[was]

    return pattern.sub(named, text)


# ── what a secret looks like ────────────────────────────────────────────────────────────────────────────────


def _whole(match: re.Match[str]) -> tuple[int, int]:
    return 0, len(match.group())


def _value(match: re.Match[str]) -> tuple[int, int] | None:
    """The group ``value``, unless it is already a placeholder."""
    start, end = match.start("value") - match.start(), match.end("value") - match.start()
    return None if match["value"].startswith("[") else (start, end)


_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S])*(?:-----END[^-\n]*-----)?"
)

_URL_PASSWORD = re.compile(r"(?<=://)[^\s/@:\[\]]{0,200}:(?P<value>[^\s/@\[\]]{1,200})(?=@)")

_COMMAND = re.compile(r"(?<![\w-])(?:-u|--user)[ =]{1,3}[\"']?[^\s:\"'\[\]]{1,100}:(?P<value>[^\s\"'\[\]]{2,200})")
_HEADER = re.compile(
    r"(?i)\bauthorization\s{0,3}[:=]\s{0,3}(?:(?:bearer|basic|token|digest)\s{1,3})?+(?P<value>[^\s\[\]\"']{4,4000})"
    r"|\b(?:set-)?cookie\s{0,3}:\s{0,3}(?P<cookie>[^\n\[\]]{4,4000})"
)
_BEARER = re.compile(r"(?i)\b(?:bearer|basic)\s{1,3}(?P<value>(?=[a-z._~+/-]{0,400}[0-9=])[a-z0-9._~+/=-]{10,4000})")

_LOGIN_LABELS = (
    r"security answer|pass(?=[\"']?\s{0,3}[:=])|passwords?|passphrase|passcode|pass\s?word|passwort|kennwort|pwd|passwd|pw|mot de passe|contrase(?:ñ|n)a|senha|wachtwoord|"
    r"has(?:ł|l)o|parola"
)
_KEY_LABELS = (
    r"(?:api|access|secret|auth|private|signing|encryption|service|master|account|license|webhook|storage)[-_ ]{0,2}(?:key|token|secret)"
    r"|client[-_ ]?secret|(?:refresh|id|session|bearer|personal[-_ ]access)[-_ ]?(?:token|key)|secret|token|apikey|recovery (?:key|code)s?"
    r"|backup codes?|x-api-key"
)
_LINK = r"(?P<link>[\"']?\s{0,3}(?:[:=]{1,2}>?|->|→)\s{0,3}|\s{1,3}(?:is|was|are|ist|war|lautet|est|es|é|jest)\s{0,3}:?\s{1,3}|\s{1,3}(?=[\"'`“„]))"
_QUOTE = r"[\"'`“„]?"
# "the password for the portal is …", "the token we use: …"
_ABOUT = r"(?:\s{1,3}(?:for|to|of|on|i|we|you|they)\b[^.!?\n:=\"']{0,40}?)?"
_VALUE = r"(?P<value>[^\s\"'`“”„]{3,2000})"
_PASSWORD = re.compile(rf"(?i)(?<![a-z])(?:{_LOGIN_LABELS}){_ABOUT}{_LINK}{_QUOTE}{_VALUE}")
_SECRET = re.compile(rf"(?i)(?<![a-z])(?:{_KEY_LABELS}){_ABOUT}{_LINK}{_QUOTE}{_VALUE}")

# What follows "my password is …" in most tickets and is no password.
_PLAIN_LIST = (
    "a about active after again all already also always an and any asked because been before being blocked both but can "
    "cannot changed compromised correct could did disabled does doesn doesn't empty expired fails field fine for forgotten from "
    "gone good has have how i if in incorrect invalid is isn't it it's just locked long lost mandatory me missing my needed "
    "never new nicht no none not now off ok okay old on only optional or our outdated please rejected required reset right safe "
    "same secure set short should so still stored strong stuck that the their there this to too two unknown unsafe valid very "
    "was weak we what when where which who why will with working works would wrong yes you your abgelaufen falsch korrekt "
    "gesperrt vergessen expiré incorrecto"
)
_PLAIN_WORDS = frozenset(_PLAIN_LIST.split())


def _labelled(match: re.Match[str]) -> tuple[int, int] | None:
    """The word after "password:" or "the token is", where it can be one: a colon makes any word but a plain one
    suspect; "is" wants a digit or sign inside, a capital within, quotes, or the end of the sentence behind it."""
    value = match["value"].rstrip(".,;!?)]}>")
    if value.startswith("[") or len(value) < 3:
        return None
    start = match.start("value") - match.start()
    span = start, start + len(value)
    if value.lower() in _PLAIN_WORDS:
        return None
    signs = not value.isalpha() or not (value.islower() or value.istitle() or value.isupper())
    if re.search(r"[:=→>\"'`“„]", match["link"] + match.group()[start - 1 : start]):
        return span
    # "isn't", "sign-in", "e-mail" are words with a sign in them.
    if re.fullmatch(r"[a-zA-Z]{1,20}(?:['’-][a-zA-Z]{1,20})+", value):
        return None
    ended = re.match(r"\s{0,3}(?:[.,;!?)]|\n|$)", match.string[match.start() + span[1] :][:8])
    verbal = value.lower().endswith(("ed", "ing", "ly", "able", "ible", "en"))
    return span if signs or (ended and len(value) >= 5 and not verbal) else None


_KEY_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{16,400}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,400}|whsec_[A-Za-z0-9+/=]{8,400}"
    r"|gh[pousr]_[A-Za-z0-9]{20,400}|github_pat_[A-Za-z0-9_]{20,400}|glpat-[A-Za-z0-9_-]{16,400}"
    r"|xox[a-z]-[A-Za-z0-9-]{8,400}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,60}|ya29\.[A-Za-z0-9_-]{10,400}"
    r"|npm_[A-Za-z0-9]{30,60}|pypi-[A-Za-z0-9_-]{16,400}|hf_[A-Za-z0-9]{16,100}|SG\.[A-Za-z0-9_-]{8,100}\.[A-Za-z0-9_-]{8,100}"
    r"|lsv2_[A-Za-z0-9_]{16,400}|shp(?:at|ca|pa|ss)_[A-Za-z0-9]{16,100}|dop_v1_[a-f0-9]{32,100}"
    r"|eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{4,4000}(?:\.[A-Za-z0-9_-]{0,4000})?"
    r")"
)
_RANDOM = re.compile(r"(?<![A-Za-z0-9_/+=-])[A-Za-z0-9_+-]{24,400}={0,2}(?![A-Za-z0-9_+=-])")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _random(match: re.Match[str]) -> tuple[int, int] | None:
    """A long unbroken run that is no word and no number but looks drawn: letters and digits change often."""
    run = match.group()
    if _UUID.fullmatch(run) or "masked" in run:
        return None
    digits = sum(c.isdigit() for c in run)
    letters = sum(c.isalpha() for c in run)
    changes = sum(a.isdigit() != b.isdigit() for a, b in pairwise(run))
    return _whole(match) if digits >= 4 and letters >= 6 and changes >= 6 else None


# Spaces, hyphens, dots and what cannot be seen stand between the groups of a card or account number.
_GAP = r"[ \t\r\n\u00a0\u2009\u202f.\-‐‑–\u00ad\u200b-\u200d\u2060\ufeff]"
_CARD = re.compile(rf"(?<!\d)\d(?:{_GAP}{{0,3}}\d){{12,400}}(?!\d)")
_IBAN = re.compile(rf"(?i)(?<![a-z0-9])[a-z]{{2}}\d{{2}}(?:{_GAP}{{0,3}}[a-z0-9]){{11,60}}")


def _card(match: re.Match[str]) -> tuple[int, int] | None:
    """From the first to the last stretch of whole digit groups that is a card number: an order's number before it
    must not hide it."""
    groups = [(found.start(), found.end()) for found in re.finditer(r"\d+", match.group())]
    before = [0]
    for start, end in groups:
        before.append(before[-1] + end - start)
    digits = "".join(str(int(c)) for c in match.group() if c.isdecimal())
    hits = []
    for first in range(len(groups)):
        for last in range(first, len(groups)):
            length = before[last + 1] - before[first]
            if length > 19:
                break
            if length >= 13 and _is_card(digits[before[first] : before[last + 1]]):
                hits.append((groups[first][0], groups[last][1]))
    return (min(start for start, _ in hits), max(end for _, end in hits)) if hits else None


def _is_card(digits: str) -> bool:
    # No network issues cards that begin with 0, 7 or 9; a row of one digit passes the check and is none.
    return digits[0] not in "079" and len(set(digits)) > 1 and _luhn(digits)


def _luhn(digits: str) -> bool:
    """The check that every payment card number passes (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _iban(match: re.Match[str]) -> tuple[int, int] | None:
    """The longest beginning of 15 to 34 signs that passes the IBAN check (ISO 13616: 97 leaves 1)."""
    places = [at for at, c in enumerate(match.group()) if c.isalnum()][:34]
    for length in range(len(places), 14, -1):
        signs = "".join(match.group()[at] for at in places[:length]).upper()
        try:
            number = int("".join(str(int(c, 36)) for c in signs[4:] + signs[:4]))
        except ValueError:
            return None
        if number % 97 == 1:
            return 0, places[length - 1] + 1
    return None


_SECURITY_CODE = re.compile(
    r"(?i)\b(?:cvv2?|cvc2?|cid|card security code|security code)\b\D{0,12}?(?P<value>\d{3,4})\b"
)

_CODE_WORDS = (
    r"(?:code|codes|otp|pin|tan|passcode|2fa|mfa|verification|one[- ]time(?: password)?|código|bestätigungscode|kod)"
)
_CODE = re.compile(
    rf"(?i)(?P<before>[a-z]{{0,14}}[ \t]{{0,2}})\b{_CODE_WORDS}\b(?P<mid>[^\d\n.!?+]{{0,24}}?)(?P<value>(?:[A-Z]-)?\d(?:[ -]?\d){{3,7}})(?![ .,-]?\d)"
)
_CODE_AFTER = re.compile(
    rf"(?i)(?<![\d.,#-])(?P<value>\d(?:[ -]?\d){{3,7}})(?P<mid>\s{{1,3}}(?:is|was|ist|=|as)\s{{1,3}}(?:my|the|your|our|a|der|mein)?\s{{0,3}})"
    rf"(?P<before>[a-z]{{0,14}}\s{{0,2}}){_CODE_WORDS}\b"
)
_CODE_SHAPE = re.compile(r"(?<![\w-])[A-Z]-\d{6}(?![\w-])")
_OTHER_CODES = re.compile(
    r"(?i)\b(?:error|status|http|https|exit|response|reason|promo|promotion|discount|coupon|voucher|zip|post|postal|country|area|"
    r"tax|product|item|source|sort|swift|cost|gl|account|booking|plan|bar|qr|fehler|return|event|message|decline)\s{0,2}-?$"
)


def _code(match: re.Match[str]) -> tuple[int, int] | None:
    """The digits beside the word code, unless it is an error code, a post code or another that is no secret."""
    if _OTHER_CODES.search(match["before"]) or re.search(r"(?i)error|fehler|status", match["mid"]):
        return None
    # Four or five digits further off are a year or a count.
    if len(match["value"]) <= 5 and not re.fullmatch(
        r"(?i)\s*(?:number|code|nummer)?[\s:=]*(?:(?:is|was|ist|as)\b.{0,8})?", match["mid"]
    ):
        return None
    return _value(match)


def _header(match: re.Match[str]) -> tuple[int, int] | None:
    group = "value" if match["value"] is not None else "cookie"
    return match.start(group) - match.start(), match.end(group) - match.start()


# Order matters: what is unmistakable first, so that a looser pattern meets a placeholder and not half a secret.
_SECRETS: tuple[tuple[str, re.Pattern[str], Judge], ...] = (
    ("private key", _PRIVATE_KEY, _whole),
    ("password", _URL_PASSWORD, _value),
    ("password", _COMMAND, _value),
    ("secret", _HEADER, _header),
    ("secret", _KEY_SHAPES, _whole),
    ("secret", _BEARER, _value),
    ("bank account", _IBAN, _iban),
    ("card number", _CARD, _card),
    ("card security code", _SECURITY_CODE, _value),
    ("one-time code", _CODE_SHAPE, _whole),
    ("one-time code", _CODE, _code),
    ("one-time code", _CODE_AFTER, _code),
    ("password", _PASSWORD, _labelled),
    ("secret", _SECRET, _labelled),
    ("secret", _RANDOM, _random),
)

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_PHONE = re.compile(
    r"(?<![\w.+#/-])(?:"
    r"(?:\+|00)[1-9](?:[ .\-/()]{0,3}\d){7,14}"  # international
    r"|\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4}"  # North America
    r"|0\d{1,4}[ /-]\d{3,8}(?:[ -]\d{2,5}){0,3}"  # national, with the leading zero
    r")(?![\w/]|[.,-]\d)"
    r"|(?i:(?<=phone )|(?<=phone: )|(?<=tel: )|(?<=tel. )|(?<=mobile )|(?<=mobile: )|(?<=call me at )|(?<=call me on ))"
    r"\d(?:[ .\-/()]{0,2}\d){6,14}(?!\w)"
)
