"""Made-up names in the place of people's own, for words that leave the ledger and become an example."""

from __future__ import annotations

import re
from collections.abc import Iterable

from prompts.masking import mask

DOMAIN = "customer.example"
"""Stands for every address's and every customer's own domain."""
COMPANY = "Example Company"
_PEOPLE = ("Robin Dale", "Sam Winter", "Kim Harper", "Alex Moss", "Jo Lind", "Chris Vale", "Pat Rowe", "Lee Brook")

_NAME = r"(?P<name>[A-ZÀ-Þ][\w’'-]{1,30}(?:[ \t]+[A-ZÀ-Þ][\w’'-]{1,30}){0,2})"
_SPOKEN_TO = re.compile(
    r"(?m)^[ \t]*(?i:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|liebe[r]?|bonjour|hola|ciao)[ \t]+"
    + _NAME
    + r"[ \t]*(?=[,!.:;\n]|$| and | & )"
)
_SIGNED = re.compile(
    r"(?m)^[ \t]*(?i:(?:many |kind |best |warm )?(?:thanks|thank you|regards|wishes|cheers|greetings)|best|yours(?: sincerely)?"
    r"|sincerely|mit freundlichen gr[uü](?:ß|ss)en|viele gr[uü](?:ß|ss)e|cordialement|saludos)[ \t]*[,.!-]?[ \t]*\n\s*"
    + _NAME
    + r"[ \t]*$"
)
_INTRODUCED = re.compile(
    r"\b(?:[Mm]y name is|[Tt]his is|I am|I['’]m|(?:[Mm]y|[Oo]ur) (?:colleague|boss|manager|admin|owner|assistant)"
    r"|[Mm]rs?\.?|[Mm]s\.?|[Dd]r\.?|[Hh]err|[Ff]rau)[ \t]+" + _NAME
)
_NOT_NAMES = (
    "all team support everyone everybody there folks people sir madam colleagues friends again from the a an not sure your "
    "our my we monday tuesday wednesday thursday friday saturday sunday best thanks thank regards admin"
)
_NO_NAMES = frozenset(_NOT_NAMES.split())


class Pseudonyms:
    """One made-up name for each real one, the same wherever it stands.

    It replaces what it is told (the requester's, the account's), every e-mail address, phone number and secret that
    ``prompts.masking`` knows, and the names that stand where letters have names: after a greeting, under a closing, in
    "my colleague …". A name that stands anywhere else stays: a person reads what comes of it before it is used.
    """

    def __init__(self, name: str, email: str, companies: Iterable[str] = ()) -> None:
        """For one requester; ``companies`` are their account's names."""
        self._people: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._companies = sorted({c.strip() for c in companies if len(c.strip()) > 2}, key=len, reverse=True)
        local, _, domain = email.partition("@")
        self._domain = domain.casefold()
        if len(label := domain.partition(".")[0]) > 3:
            self._companies.append(label)
        self._person(name)
        for part in re.split(r"[._+\d-]+", local):
            if len(part) > 3:
                self._people.setdefault(part.casefold(), _PEOPLE[0].split()[0])
        if email:
            self._addresses[email.casefold()] = self.email

    @property
    def name(self) -> str:
        """The requester's made-up name."""
        return _PEOPLE[0]

    @property
    def email(self) -> str:
        """The requester's made-up address."""
        return f"robin@{DOMAIN}"

    def learn(self, text: str) -> None:
        """Takes up the names that a text shows by where they stand. Learn from all texts before any is replaced."""
        for pattern in (_SPOKEN_TO, _SIGNED, _INTRODUCED):
            for found in pattern.finditer(text):
                self._person(found["name"])

    def replaced(self, text: str) -> str:
        """The text with made-up names, addresses and companies, and without secrets."""
        masked = mask(text)
        out = masked.text
        for mark, was in masked.names.items():
            if mark.startswith("[email"):
                out = out.replace(mark, self._address(was))
        if self._domain:
            out = re.sub(re.escape(self._domain), DOMAIN, out, flags=re.IGNORECASE)
        for company in self._companies:
            out = re.sub(rf"(?<!\w){re.escape(company)}(?!\w)", COMPANY, out, flags=re.IGNORECASE)
        for real, made in sorted(self._people.items(), key=lambda pair: -len(pair[0])):
            out = _spelled(real).sub(made, out)
        return out

    def _person(self, name: str) -> None:
        words = name.split()
        # "Hello Support" and "Thanks,\nBest" hold no name; a name may stand behind such a word.
        while words and words[-1].casefold() in _NO_NAMES:
            words.pop()
        if not words or words[0].casefold() in _NO_NAMES or all(w.casefold() in self._people for w in words):
            return
        number = len(set(self._people.values()) & {p.split()[0] for p in _PEOPLE})
        made = _PEOPLE[number].split() if number < len(_PEOPLE) else [f"Person{number + 1}", "Example"]
        for place, word in enumerate(words):
            if len(word) > 1:
                self._people.setdefault(word.casefold(), made[0] if place == 0 else made[1])

    def _address(self, was: str) -> str:
        return self._addresses.setdefault(was.casefold(), f"person{len(self._addresses) + 1}@{DOMAIN}")


def _spelled(name: str) -> re.Pattern[str]:
    """A name as people write it: with a capital, in capitals, and where it is long in small letters too. A short one in
    small letters is mostly a word ("will", "mark")."""
    forms = {name.capitalize(), name.title(), name.upper()} | ({name} if len(name) > 4 else set())
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(map(re.escape, forms)))})(?!\w)")
