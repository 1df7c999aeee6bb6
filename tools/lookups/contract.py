"""Looks up the contract: reference, renewal, negotiated terms, amendments, billing cycle."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from guards.facts import Fact, FactValue, Standing
from tools.lookups.enquiry import Enquiry, missing
from tools.systems import ContractRecord

SYSTEM = "contracts"
STANDARD_TERMS = "standard terms"
NAMES = (
    "contract.reference",
    "contract.renewal_in_days",
    "contract.negotiated_topics",
    "contract.exception_terms",
    "contract.unreflected_amendments",
    "contract.billing_cycle",
    "contract.cycle_start",
    "contract.cycle_end",
)
_MONTHS = {"monthly": 1, "quarterly": 3, "annual": 12}


async def contract(enquiry: Enquiry) -> tuple[Fact, ...]:
    """The contract's record as facts. No contract is itself an answer, but only on a published plan."""
    account = enquiry.account
    assert account is not None
    record = await enquiry.systems.contracts.contract(account.account_id)
    if record is not None:
        return _facts(enquiry, record)
    if not account.standard_plan:
        return missing(NAMES, SYSTEM, "no contract is on record, though the plan is not a published one")
    values: dict[str, FactValue] = {
        "contract.reference": STANDARD_TERMS,
        "contract.negotiated_topics": (),
        "contract.exception_terms": False,
        "contract.unreflected_amendments": 0,
    }
    note = "no contract is on record: a published plan"
    return tuple(Fact(name, value, Standing.CONFIRMED, SYSTEM, note=note) for name, value in values.items())


def _facts(enquiry: Enquiry, record: ContractRecord) -> tuple[Fact, ...]:
    open_ones = [a for a in record.amendments if not a.reflected]
    values: dict[str, FactValue] = {
        "contract.reference": record.reference,
        "contract.negotiated_topics": tuple(t.topic for t in record.negotiated_terms),
        "contract.exception_terms": record.exception_terms_present,
        "contract.unreflected_amendments": len(open_ones),
        "contract.unreflected_topics": tuple(a.topic for a in open_ones),
        "contract.amendments": tuple(
            f"{a.reference} on {a.topic}, {'reflected' if a.reflected else 'not reflected'}" for a in record.amendments
        ),
        "contract.billing_cycle": record.billing_cycle,
        "contract.renewal": record.renewal_date.isoformat() if record.renewal_date else "no fixed date",
    }
    for name in ("tier", "plan", "status"):
        if stated := getattr(record, name):
            values[f"contract.{name}"] = stated
    if cycle := current_cycle(record.billing_cycle, record.cycle_start, enquiry.now.date()):
        values["contract.cycle_start"], values["contract.cycle_end"] = (day.isoformat() for day in cycle)
    facts = enquiry.facts(values, SYSTEM, record.as_of)
    if record.renewal_date:
        facts = (*facts, _renewal(enquiry, record, (record.renewal_date - enquiry.now.date()).days))
    return facts


def _renewal(enquiry: Enquiry, record: ContractRecord, days: int) -> Fact:
    name = "contract.renewal_in_days"
    if days < 0:
        note = f"the renewal date {record.renewal_date} has passed and the record has not been renewed"
        return Fact(name, days, Standing.STALE, SYSTEM, record.as_of, note)
    return enquiry.fact(name, days, SYSTEM, record.as_of)


def current_cycle(cycle: str, start: date, today: date) -> tuple[date, date] | None:
    """First and last day of the cycle that holds today; None where there is no cycle, or none has begun."""
    if cycle not in _MONTHS or start > today:
        return None
    elapsed = (today.year - start.year) * 12 + today.month - start.month
    turn = elapsed // _MONTHS[cycle]
    if _later(start, turn * _MONTHS[cycle]) > today:
        turn -= 1
    first = _later(start, turn * _MONTHS[cycle])
    following = _later(start, (turn + 1) * _MONTHS[cycle])
    return first, date.fromordinal(following.toordinal() - 1)


def _later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    # A cycle that began on the 31st turns on the last day of a shorter month.
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
