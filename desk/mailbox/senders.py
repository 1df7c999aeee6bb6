"""Who sent a mail, and whether that is shown: by what our own mail server found, for a domain that the company knows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass

import authres  # type: ignore[import-untyped]

from desk.mailbox.arriving import Arrived
from tools.systems import Accounts

LOOKUP_SECONDS = 5.0
_FIRST_WORD = re.compile(r"\s*([^\s;]+)")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from."""

    address: str
    """As it says; where an answer goes."""
    verified: bool
    account_id: str | None
    """The account whose domain it is; None for an unverified sender."""
    why: str
    """What was found, in a few words."""


class Senders:
    """Judges senders by one trusted mail server and one company's records."""

    __slots__ = ("_accounts", "_server")

    def __init__(self, authserv_id: str, accounts: Accounts) -> None:
        """``authserv_id`` is the name of the server whose Authentication-Results are believed; empty for none."""
        self._server = authserv_id.strip().lower()
        self._accounts = accounts

    def of(self, mail: Arrived) -> Sender:
        """The sender. Verified only where DMARC passed, or where DMARC says nothing and DKIM passed for the very domain,
        and where that domain is the one of exactly one account. Whatever else, and whatever fails: unverified."""
        address = mail.sender or mail.mail.sender
        why = self._doubt(mail)
        if why:
            return Sender(address, False, None, why)
        domain = mail.sender.rpartition("@")[2]
        try:
            account = asyncio.run(asyncio.wait_for(self._accounts.account_of_domain(domain), LOOKUP_SECONDS))
        except Exception as error:  # records that do not answer verify nobody
            return Sender(address, False, None, f"the company's records did not answer ({type(error).__name__})")
        if account is None:
            return Sender(address, False, None, "the domain is of no account that the records know")
        return Sender(address, True, account.account_id, "the domain was authenticated, and is the account's")

    def _doubt(self, mail: Arrived) -> str:
        if not self._server:
            return "no server is trusted to authenticate senders"
        if not mail.sender or mail.sender != mail.mail.sender or not mail.sender.isascii():
            return "it does not name exactly one plain sender"
        found = self._trusted(mail)
        if found is None:
            return "the trusted server found nothing, or nothing that can be read"
        domain = mail.sender.rpartition("@")[2]
        if dmarc := [r for r in found if r.method == "dmarc"]:
            passed = all(r.result == "pass" and _property(r, "from") == domain for r in dmarc)
            return "" if passed else f"DMARC says {dmarc[0].result!s:.20} of it"
        signed = any(r.method == "dkim" and r.result == "pass" and domain in _signers(r) for r in found)
        return "" if signed else "neither DMARC nor a signature of the sender's own domain passed"

    def _trusted(self, mail: Arrived) -> list[authres.AuthenticationResult] | None:
        """The results of the topmost header that the trusted server wrote. Those below it may be anybody's."""
        for value in mail.values("Authentication-Results"):
            said = _FIRST_WORD.match(value)
            if said is None or said.group(1).lower() != self._server:
                continue
            try:
                return list(authres.AuthenticationResultsHeader.parse_value(" ".join(value.split())).results)
            except Exception:  # the library raises many kinds; a header that cannot be read shows nothing
                return None
        return None


def _property(result: authres.AuthenticationResult, name: str) -> str:
    """A header property's domain, lower case; empty where it is not there exactly once."""
    found = [str(p.value) for p in result.properties if p.type == "header" and p.name == name]
    return found[0].rpartition("@")[2].strip().rstrip(".").lower() if len(found) == 1 else ""


def _signers(result: authres.AuthenticationResult) -> Iterator[str]:
    """The signing domain (``header.d``), or where a server tells only that, the identity's (``header.i``)."""
    yield _property(result, "d") or _property(result, "i")
