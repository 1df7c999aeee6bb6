"""Judges a text: makes it plain, finds its sentences and its language, and screens what no lane may say."""

from __future__ import annotations

import re
import unicodedata

from guards.disguises import readings
from guards.screening import Finding, findings

LONGEST = 40_000
"""Characters of one text that the rules read; the middle of a longer one is dropped (``plain``)."""

# Letters of other scripts that pass for Latin ones. Only those seen inside words that otherwise are Latin.
_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТХаеорсухіјѕԁһӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιυν‐‑–—−‘’‚“”„",
    "ABEKMHOPCTXaeopcyxijsdhlABEZHIKMNOPTYXoiuv-----'''\"\"\"",
)


_HIDDEN = frozenset({"Cf", "Cc", "Cs", "Co", "Mn", "Me"})
"""Unicode categories that are dropped: formats, controls, and marks that compose with no letter; white space stays."""

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""ASCII controls and every ASCII white space but the blank and the line's end."""


def plain(text: str) -> str:
    """The text as the rules read it: NFKC, no format or control characters, look-alikes folded, lower case.

    Invisible characters must not split a word ("re​fund") and full-width or Cyrillic letters must not
    hide one. Line ends stay; at most LONGEST characters come back, the first and the last of a longer text.
    """
    text = unicodedata.normalize("NFKC", text)  # before the cut: one character may become eighteen
    if len(text) > LONGEST:
        half = (LONGEST - 1) // 2
        text = f"{text[:half]}\n{text[-half:]}"
    folded = text.lower()
    if not folded.isascii():
        folded = "".join(c for c in folded if c.isspace() or unicodedata.category(c) not in _HIDDEN)
        folded = _fold_lookalikes(unicodedata.normalize("NFKC", folded))
    else:
        if not _CONTROL.search(folded) and "  " not in folded:
            return folded.strip()
        folded = re.sub(r"[\x00-\x08\x0e-\x1b\x7f]", "", folded)
    return re.sub(r"[^\S\n]+", " ", folded)[:LONGEST].strip()


def _fold_lookalikes(text: str) -> str:
    def fold(word: re.Match[str]) -> str:
        found = word.group()
        latin = any("a" <= c.lower() <= "z" for c in found)
        return found.translate(_LOOKALIKES) if latin else found

    folded = re.sub(r"\w+", fold, text)
    return folded.translate(str.maketrans("‐‑–—−‘’‚“”„", "-----'''\"\"\""))


_SENTENCE_END = re.compile(r"[.!?…]+[\"')\]”’]*(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|etc|dr|mr|mrs|ms|st|no|inc|ltd|co|approx|ca)|\b[A-Za-z])\.$", re.IGNORECASE
)
_LONGEST_ABBREVIATION = len("approx")
_ITEM = re.compile(r"\d{1,3}[.)]\s+|[-*•]\s+")


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, in order, each with its closing marks; a list item keeps its number.

    A line goes on in the next one unless it ends a sentence, a blank line follows, or a list item begins: mail is
    wrapped by machines, and "do not" at the end of a line belongs to what follows it.
    """
    return tuple(sentence for line in _unwrapped(text) for sentence in _split(line))


def _unwrapped(text: str) -> list[str]:
    lines: list[str] = []
    open_line = False
    for raw in text.splitlines():
        line = raw.strip()
        if not line:
            open_line = False
            continue
        if open_line and not _ITEM.match(line):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        ended = list(_SENTENCE_END.finditer(line))
        open_line = not (line.endswith(":") or (ended and ended[-1].end() == len(line)))
    return lines


def _split(line: str) -> list[str]:
    mark = _ITEM.match(line)
    start, found = 0, []
    for end in _SENTENCE_END.finditer(line, mark.end() if mark else 0):
        at = end.start()
        if end.group().rstrip("\"')]”’") == "." and _ABBREVIATION.search(
            line, max(0, at - _LONGEST_ABBREVIATION), at + 1
        ):
            continue
        found.append(line[start : end.end()].strip())
        start = end.end()
    if rest := line[start:].strip():
        found.append(rest)
    return found


def blocks(text: str) -> tuple[tuple[str, ...], ...]:
    """The paragraphs of a text, each as its sentences; a numbered list is one of them."""
    parts = re.split(r"\n\s*\n", text)
    return tuple(b for part in parts if (b := sentences(part)))


# Frequent little words; enough to tell that a text is not in a language we can judge, not which one it is.
_LITTLE = {
    "en": "the a an i you we my your our is are was be to of in on for and or not it this that with have has can do "
    "does how what which who should why when where please me there from at by if but so as any will would could there's i'm it's",
    "de": "der die das ich wir sie ihr ist sind war und oder nicht ein eine einen mein meine unser unsere mit von zu "
    "auf für wie was warum wann wo bitte kann können haben habe wird wurde dass bei noch auch den dem des",
    "fr": "le la les je nous vous mon ma mes notre nos est sont et ou pas un une des du de avec pour dans sur comment "
    "pourquoi quand où avez ai c'est j'ai ne que qui ce cette été être bonjour merci",
    "es": "el la los las yo nosotros mi mis nuestro nuestra es son y o no un una unos de del con para en por cómo qué "
    "cuándo dónde puedo tengo ha han hola gracias su sus se me lo que está",
    "it": "il lo la i gli le io noi mio mia nostro nostra è sono e o non un una di del della con per in su come "
    "perché quando dove posso ho abbiamo ciao grazie che si ci mi",
    "pt": "o a os as eu nós meu minha nosso nossa é são e ou não um uma de do da com para em por como quando onde "
    "posso tenho olá obrigado que se me foi está",
    "nl": "de het een ik wij we mijn onze is zijn was en of niet met van voor op in hoe wat waarom wanneer waar kan "
    "kunnen heb hebben graag dat deze dit ook nog naar",
    "pl": "i w na nie się jest są to że z do jak co dlaczego kiedy gdzie proszę mogę mamy mam nasz nasze moje po od",
}
_LITTLE_WORDS = {language: frozenset(words.split()) for language, words in _LITTLE.items()}


def language(text: str) -> str:
    """The language of a text by its paragraphs and lines: the first that is not English, else ``en``.

    Part by part, so that English padding around it cannot make a German request pass for English.
    """
    parts = [(part, 2) for part in re.split(r"\n\s*\n", text)] + [(line, 3) for line in text.splitlines()]
    return next((t for part, least in parts if part.strip() and (t := _language(part, least)) != "en"), "en")


def _language(text: str, least: int) -> str:
    """A two-letter guess (``en``, ``de``, …), or ``unknown`` for another script or too little to tell.

    Short texts without any little word count as English: "audit logs?" is a question we can look up.
    """
    letters = [c for c in text if c.isalpha()]
    if letters and sum(1 for c in letters if ord(c) > 0x24F) > 0.3 * len(letters):
        return "unknown"
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
    hits = {name: sum(1 for w in words if w in little) for name, little in _LITTLE_WORDS.items()}
    best = max(hits, key=lambda name: hits[name])
    if hits[best] >= least and hits[best] > 1.5 * hits["en"]:
        return best
    accented = sum(1 for c in letters if ord(c) > 0x7F)
    if letters and not hits["en"] and accented > 0.03 * len(letters) and len(words) >= 4:
        return "unknown"
    return "en"


def screen(text: str) -> tuple[Finding, ...]:
    """What a text says that no assistant lane may say, in several languages and however it is spelt. A second net that
    may only raise: never the boundary.

    A claim about people ("our team is looking into it") is found by its words here; whether it is true is for the
    ledger to say, where it is at hand (``screening.unproved``).
    """
    found: dict[tuple[str, str], Finding] = {}
    for finding in findings(*map(plain, readings(text if len(text) <= LONGEST else plain(text)))):
        found.setdefault((finding.kind, finding.quote), finding)
    return tuple(found.values())
