"""How much of a mail is taken apart at all: its headers, parts and lines are a stranger's, and reading them costs time."""

from __future__ import annotations

from email.message import Message as Part
from email.parser import BytesParser
from email.policy import compat32

BLOCK_LONGEST = 64_000
"""Most bytes of the headers of a mail, or of one of its parts."""
HEADER_LONGEST = 8_000
"""Most bytes of one header, its folded lines included."""
KIND_LONGEST = 4_000
"""Most bytes of a header that says what a part is: the standard parser's time grows with the square of its length."""
HEADERS_MOST = 256_000
"""Most bytes of all headers of a mail and its parts."""
PARTS_MOST = 2_000
STEPS_MOST = 4_000_000
"""Lines, times how many containers the parser may look for the end of at each: four attachments of 20 MB are a tenth."""
WORDS_MOST = 2_000_000
"""Most bytes of a mail's words, before HTML is taken off them."""
_KINDS = frozenset({"content-type", "content-disposition"})


class TooMuchMail(Exception):
    """A mail is more than is taken apart; says of what. It holds nothing of the mail's words."""


def take_apart(raw: bytes) -> Part:
    """A mail from its bytes, by the standard parser. TooMuchMail before it has cost more than a mail may."""
    taken = _Taken(raw.count(b"\n") + raw.count(b"\r"))

    class Bounded(Part):
        """Counts what the parser puts into it, before anybody looks into that."""

        def __init__(self, policy: object = compat32) -> None:
            super().__init__(compat32)
            self._block = 0
            taken.part()

        def set_raw(self, name: str, value: str) -> None:
            """Takes one header, or raises TooMuchMail."""
            size = len(name) + len(": ") + len(value)
            self._block += size
            taken.header(name, value, size, self._block)
            super().set_raw(name, value)

    return BytesParser(Bounded, policy=compat32).parsebytes(raw)


class _Taken:
    """What one mail has cost so far."""

    def __init__(self, lines: int) -> None:
        self._lines, self._containers, self._parts, self._headers = lines, 0, 0, 0
        self._steps()

    def part(self) -> None:
        self._parts += 1
        if self._parts > PARTS_MOST:
            raise TooMuchMail(f"it has more than {PARTS_MOST:,} parts")

    def header(self, name: str, value: str, size: int, block: int) -> None:
        kind = name.strip().lower()
        longest = KIND_LONGEST if kind in _KINDS else HEADER_LONGEST
        if size > longest:
            raise TooMuchMail(f"one of its headers is longer than {longest:,} bytes")
        self._headers += size
        if block > BLOCK_LONGEST or self._headers > HEADERS_MOST:
            raise TooMuchMail("it has more headers than a mail needs")
        if kind == "content-type" and value.strip().lower().startswith(("multipart", "message")):
            self._containers += 1
            self._steps()

    def _steps(self) -> None:
        if self._lines * (1 + self._containers) > STEPS_MOST:
            raise TooMuchMail("it has too many lines in too many parts")
