"""Whether the customer's last word settles the matter: read narrowly, because a wrong yes closes on somebody unhelped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guards.wording import plain, sentences
from ledger.history import Message

_THANKS = re.compile(r"\b(?:thanks?|thank you|thx|cheers|perfect|great|brilliant|awesome|merci|danke)\b")
_SOLVED = re.compile(
    r"\b(?:that (?:worked|works|helped|helps|did it|does it|answers? (?:it|my question)|solve[sd] it)|(?:it|this) (?:worked|"
    r"works now|is (?:solved|sorted|resolved|clear))|all (?:good|set|sorted|clear)|problem solved|found it|sorted now|"
    r"you can close|that.s all|got it)\b"
)


_DOUBT = re.compile(
    r"n't\b|\b(?:not|no|never|nothing|nobody|but|however|although|still|yet|doubt\w*|unsure|hardly|barely|almost|if|until|"
    r"unless|before|except|apart|only|sadly|unfortunately)\b"
)
"""Any of these, and a person reads it: a conversation that is closed on a customer who is not helped costs more."""


def settled_by_customer(messages: Sequence[Message]) -> bool:
    """True where we answered and the customer's next message only confirms: short, thankful, asking nothing."""
    answered = any(m.role == "assistant" and m.piece in ("answer", "") for m in messages)
    said = plain(next((m.text for m in reversed(messages) if m.role == "customer"), ""))
    if not answered or "?" in said or len(said) > 160 or len(sentences(said)) > 4 or _DOUBT.search(said):
        return False
    return _SOLVED.search(said) is not None and (_THANKS.search(said) is not None or len(said) < 80)
