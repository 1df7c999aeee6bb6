"""What a helpdesk hands over about an account, as facts: a few keys it may call many things, and the rest as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from guards.facts import Fact, Facts, FactValue, Standing
from tools.ticket import plain_name
from tools.ticket_text import clean

SOURCE = "account_context"
LONGEST = 300
"""Characters of a value that is kept as a fact; the whole stays with the ticket."""
MOST = 60
"""Facts that one context may give."""
FREE_TEXT = 60
"""A longer string under a key we do not know is somebody's prose, not a record's value."""

Reader: TypeAlias = Callable[[object], dict[str, FactValue]]


def facts_from_context(context: object) -> Facts:
    """The context's facts: known keys confirmed, free text claimed. Empty for None; never raises on odd shapes."""
    found: dict[str, Fact] = {}
    for key, value in _entries(context):
        for fact in _facts_of(key, value):
            found.setdefault(fact.name, fact)
    if _says_enterprise(found):
        note = "inferred from the segment or plan"
        found["account.tier"] = Fact("account.tier", "enterprise", Standing.INFERRED, SOURCE, note=note)
    return Facts(tuple(list(found.values())[:MOST]))


def untrusted_texts(context: object) -> tuple[str, ...]:
    """All free text in a context, keys included where they read like text: strangers may have written any of it."""
    return tuple(dict.fromkeys(text for text in _texts(context, 0) if text.strip()))


def _entries(context: object) -> Iterator[tuple[str, object]]:
    if context is None:
        return
    if isinstance(context, str):
        yield "note", context
    elif isinstance(context, Mapping):
        for key, value in list(context.items())[:200]:
            name = plain_name(key)
            if name in _NESTS and isinstance(value, Mapping):
                yield from ((plain_name(inner), v) for inner, v in list(value.items())[:200])
            else:
                yield name, value
    else:
        yield "note", _shown(context)


_NESTS = frozenset({"account", "contract", "customer", "requester", "subscription"})


def _facts_of(key: str, value: object) -> Iterator[Fact]:
    reader = _READERS.get(key)
    if reader is not None:
        try:
            read = reader(value)
        except (TypeError, ValueError, OverflowError):
            read = {}
        for name, said in read.items():
            yield Fact(name, said, Standing.CONFIRMED, SOURCE)
        if read:
            return
    if value in (None, "") or not key:
        return
    prose = key in _PROSE or (isinstance(value, str) and len(value.strip()) > FREE_TEXT) or not _is_value(value)
    name = "context.note" if key in ("note", "notes") else f"context.{key[:60]}"
    standing = Standing.CLAIMED if prose else Standing.CONFIRMED
    yield Fact(name, _kept(value), standing, SOURCE, note="free text, not checked" if prose else "")


_PROSE = frozenset(
    {
        "note",
        "notes",
        "account_note",
        "comment",
        "comments",
        "description",
        "summary",
        "policy",
        "known",
        "instructions",
    }
)


def _is_value(value: object) -> bool:
    return isinstance(value, str | int | float) or (
        isinstance(value, Sequence) and all(isinstance(v, str) and len(v) <= FREE_TEXT for v in value)
    )


def _kept(value: object) -> FactValue:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple(_cut(_shown(v)) for v in value[:20])
    return _cut(_shown(value))


def _cut(text: str) -> str:
    text = clean(text).strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def _texts(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield clean(value)
    elif isinstance(value, Mapping) and depth < 20:
        for key, inner in value.items():
            if isinstance(key, str) and " " in key:
                yield clean(key)
            yield from _texts(inner, depth + 1)
    elif isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes) and depth < 20:
        for inner in value:
            yield from _texts(inner, depth + 1)
    elif value is not None and not isinstance(value, bool | int | float):
        yield _shown(value)


# ── the keys we know ────────────────────────────────────────────────────────────────────────────────────────


def _word(name: str) -> Reader:
    def read(value: object) -> dict[str, FactValue]:
        if not isinstance(value, str) or not value.strip() or len(value) > FREE_TEXT:
            return {}
        return {name: " ".join(clean(value).split()).casefold()}

    return read


def _as_written(name: str) -> Reader:
    def read(value: object) -> dict[str, FactValue]:
        short = isinstance(value, str) and 0 < len(value.strip()) <= FREE_TEXT
        return {name: clean(str(value)).strip()} if short else {}

    return read


def _count(name: str) -> Reader:
    def read(value: object) -> dict[str, FactValue]:
        number = _number(value)
        return {} if number is None else {name: number}

    return read


def _flag(name: str, *, turned: bool = False) -> Reader:
    def read(value: object) -> dict[str, FactValue]:
        yes = _yes(value)
        return {} if yes is None else {name: yes is not turned}

    return read


def _number(value: object) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return len(value)
    found = re.fullmatch(r"\s*(?:in )?(-?\d{1,6})\s*(?:days?|contacts?|seats?|tickets?|times?)?\s*", str(value))
    return int(found.group(1)) if found else None


def _yes(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0
    word = value.strip().casefold() if isinstance(value, str) else ""
    if word in ("yes", "true", "y", "1"):
        return True
    return False if word in ("no", "false", "n", "0", "none", "never") else None


def _credits(value: object) -> dict[str, FactValue]:
    """A flag, a sum, a list or a description of what was given already."""
    if isinstance(value, str) and _yes(value) is None and value.strip():
        return {"credits.issued_recently": True, "credits.last": _cut(value)}
    if isinstance(value, Sequence | Mapping) and not isinstance(value, str):
        last = {"credits.last": _kept(value)} if value else {}
        return {"credits.issued_recently": bool(value), **last}
    yes = _yes(value)
    return {} if yes is None else {"credits.issued_recently": yes}


def _incidents(value: object) -> dict[str, FactValue]:
    """An id, several, or an outright none."""
    if isinstance(value, str):
        if _yes(value) is False or not value.strip():
            return {"incidents.affecting": ()}
        ids = re.findall(r"\b[A-Z]{2,6}-?\d+\b", value)
        return {"incidents.affecting": tuple(dict.fromkeys(ids)) or (_cut(value),)}
    if isinstance(value, Sequence):
        return {"incidents.affecting": tuple(_cut(_shown(v)) for v in value[:20])}
    if value is True:
        return {"incidents.affecting": ("an incident that is not named",)}
    return {"incidents.affecting": ()} if value is False else {}


def _topics(value: object) -> dict[str, FactValue]:
    """Negotiated terms: topics, or whether there are any."""
    if isinstance(value, bool):
        return {"contract.exception_terms": value}
    if isinstance(value, str):
        yes = _yes(value)
        if yes is not None:
            return {"contract.exception_terms": yes}
        value = [part for part in re.split(r"[,;]", value) if len(part) <= FREE_TEXT]
    if not isinstance(value, Sequence):
        return {}
    topics = tuple(plain_name(v) for v in value[:20] if isinstance(v, str))
    return {"contract.negotiated_topics": topics, **({"contract.exception_terms": True} if topics else {})}


def _happened(name: str) -> Reader:
    def read(value: object) -> dict[str, FactValue]:
        number, yes = _number(value), _yes(value)
        known = number > 0 if number is not None else yes
        return {} if known is None else {name: known}

    return read


_BY_READER: tuple[tuple[Reader, str], ...] = (
    (_word("account.tier"), "tier account_tier customer_tier plan_tier"),
    (_word("account.plan"), "plan account_plan current_plan subscription_plan plan_name"),
    (_word("account.segment"), "segment account_segment customer_segment"),
    (_word("account.region"), "region account_region country"),
    (_word("account.status"), "status account_status subscription_status"),
    (_count("account.seats"), "seats seat_count licences licenses"),
    (_flag("account.standard_plan"), "standard_plan is_standard_plan"),
    (_flag("account.standard_plan", turned=True), "custom_plan non_standard_plan nonstandard_plan"),
    (
        _count("contacts.unresolved"),
        "repeat_contacts repeated_contacts contacts unresolved_contacts open_contacts prior_contacts previous_contacts",
    ),
    (_count("contacts.total_30_days"), "contacts_30_days recent_contacts contacts_last_30_days"),
    (_count("contract.renewal_in_days"), "renewal_in_days days_to_renewal renewal_days renewal_in renewal"),
    (_as_written("contract.renewal"), "renewal_date renews_on"),
    (_as_written("contract.reference"), "contract contract_id contract_reference contract_ref agreement"),
    (_topics, "negotiated_terms negotiated_topics special_terms negotiated_clauses"),
    (_flag("contract.exception_terms"), "exceptions exception_terms contract_exceptions has_exceptions"),
    (_count("contract.unreflected_amendments"), "unreflected_amendments pending_amendments"),
    (_flag("contract.cycle_overlaps_credit"), "cycle_overlaps_credit"),
    (_flag("requester.executive"), "executive is_executive executive_contact executive_visibility"),
    (_word("requester.role"), "role requester_role user_role"),
    (_flag("requester.verified"), "requester_verified identity_verified"),
    (_credits, "credits credit service_credit service_credits prior_credits prior_credit credits_issued credit_issued"),
    (_incidents, "incident incidents incident_id active_incident active_incidents prior_incident"),
    (_happened("changes.recent_role_change"), "recent_role_change recent_role_changes role_changed"),
    (_happened("changes.recent_plan_change"), "recent_plan_change recent_plan_changes plan_changed"),
    (_count("attachments.unread"), "unread_attachments"),
)
_READERS: Mapping[str, Reader] = {key: reader for reader, keys in _BY_READER for key in keys.split()}


def _says_enterprise(found: Mapping[str, Fact]) -> bool:
    if "account.tier" in found:
        return False
    told = (found[name].value for name in ("account.segment", "account.plan") if name in found)
    return any(isinstance(value, str) and "enterprise" in value.split() for value in told)
