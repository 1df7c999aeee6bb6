"""Where an approved text goes, as a person reads it: to whom, by which way out, and who takes it there."""

from __future__ import annotations

from dataclasses import replace

from desk.channels import MAIL
from desk.settings import Settings
from ledger.decisions import Seen
from ledger.letters import Delivery
from ledger.reaching import CHAT, Reach

CALLED = {"eml": "mail file", "console": "the console", "smtp": "mail"}
"""The channels of the settings, as people call them."""
HERE = "now"
"""When a text leaves, said where the post room runs in the same process."""
APART = "as soon as the post room looks, which runs apart from this process (`lanewise post`)"
"""The same where ``lanewise serve --no-post`` serves."""
COMMAND = "as soon as a post room looks: at once where `lanewise serve` or `lanewise post --watch` runs, else with the \
next `lanewise post`"
"""The same said by a command, which does not know what else runs."""


def channel(settings: Settings) -> str:
    """The way out, as people call it."""
    return CALLED.get(settings.channel, settings.channel)


def whom(settings: Settings, recipient: str, besides: Reach) -> str:
    """For whom a text leaves, and by what. Never ``chat:…``, which tells nobody anything."""
    if not recipient.startswith(CHAT):
        return f"{recipient} by {channel(settings)}"
    if settings.channel not in MAIL:
        return "the customer in the chat (no mail is set up: if they have left, it waits there for them)"
    if not besides.address:
        return "the customer in the chat (no address to write to: if they have left, it waits there for them)"
    whose = (
        "vouched for by the page they came from" if besides.vouched else "typed there; nobody has checked whose it is"
    )
    return f"the customer in the chat, or by {channel(settings)} to {besides.address} if they have left it ({whose})"


def shown_to(besides: Reach, seen: Seen) -> Reach:
    """How the customer is reached by a text whose approver had seen this much: an address that they had not seen is
    not written to."""
    return besides if besides.mark == seen.address else replace(besides, address="")


def went(delivery: Delivery, mailed_to: str) -> str:
    """For whom a letter left, or is to leave, in a few words."""
    recipient = delivery.letter.recipient
    if recipient.startswith(CHAT):
        return f"{mailed_to} (they had left the chat)" if mailed_to else "the chat"
    return recipient or "(erased)"
