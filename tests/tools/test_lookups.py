"""Records become facts: each with a standing, a source and a date, and nothing is guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from guards.capabilities import Effect, Right
from guards.facts import Facts, Standing
from guards.policy import Freshness, parse_release
from tools.lookups import LOOKUPS, Request, gather_facts
from tools.lookups.contract import current_cycle
from tools.sandbox import SYSTEM_NAMES, SandboxCompany
from tools.systems import (
    AccountRecord,
    ChangeRecord,
    ContactRecord,
    ContractRecord,
    CreditRecord,
    EntitlementRecord,
    IncidentRecord,
    PersonRecord,
    Systems,
)

INGRID = Request("ingrid@harrowpell.example", "Ingrid Vasko", verified=True)
MINA = Request("mina@kestrel-analytics.example", verified=True)
RELEASE = Path(__file__).parents[2] / "guards" / "policies" / "2026-03-01.toml"
OF_ACCOUNT = tuple(name for lookup in LOOKUPS if lookup.of_account for name in lookup.names)


@pytest.fixture
def company() -> SandboxCompany:
    return SandboxCompany()


@pytest.fixture(scope="module")
def freshness() -> Freshness:
    return parse_release(RELEASE.read_text(), RELEASE.name).freshness


async def _gather(company: SandboxCompany, request: Request, freshness: Freshness, seconds: float = 1.0) -> Facts:
    return await gather_facts(company.systems(), request, freshness, company.now, seconds)


def _mina_account(company: SandboxCompany) -> AccountRecord:
    return company.directory.shelves.accounts.of("A-1011")[0]


def _mina_contract(company: SandboxCompany) -> ContractRecord:
    return company.directory.shelves.contracts.of("A-1011")[0]


def test_every_lookup_declares_that_it_only_reads() -> None:
    assert {(lookup.effect, lookup.right) for lookup in LOOKUPS} == {(Effect.READ, Right.READ_SOURCES)}
    assert len({lookup.name for lookup in LOOKUPS}) == len(LOOKUPS)


async def test_the_packet_example_of_the_article_is_known_from_the_record(
    company: SandboxCompany, freshness: Freshness
) -> None:
    facts = await _gather(company, INGRID, freshness)
    expected = {
        "requester.verified": True,
        "requester.known": True,
        "requester.role": "billing_admin",
        "requester.executive": False,
        "account.tier": "enterprise",
        "account.plan": "enterprise annual",
        "account.standard_plan": False,
        "account.segment": "enterprise",
        "account.region": "us",
        "account.status": "active",
        "account.seats": 620,
        "contract.reference": "ENT-2023-1006",
        "contract.renewal_in_days": 21,
        "contract.exception_terms": True,
        "contract.unreflected_amendments": 1,
        "contract.cycle_overlaps_credit": True,
        "entitlement.seats": "yes, 620 of 620 seats used",
        "entitlements.on_record": True,
        "changes.recent_role_change": False,
        "changes.recent_plan_change": False,
        "credits.issued_recently": True,
        "credits.last": "service_credit of 2400.00 USD on 2026-02-28 for INC-2331",
        "credits.total_90_days": 2400.0,
        "incidents.affecting": ("INC-2331",),
        "contacts.unresolved": 0,
        "contacts.total_30_days": 2,
        "attachments.unread": 0,
    }
    assert {name: facts.value(name) for name in expected} == expected
    assert all(type(facts.value(name)) is type(value) for name, value in expected.items())
    assert {facts.get(name).standing for name in expected} == {Standing.CONFIRMED}
    assert facts.get("account.tier").as_of == datetime(2026, 3, 10, 5, tzinfo=UTC)
    assert facts.get("contract.reference").source == "contracts"


async def test_there_is_at_most_one_fact_a_name(company: SandboxCompany, freshness: Freshness) -> None:
    for request in (INGRID, MINA, Request("nobody@nowhere.example"), replace(INGRID, verified=False)):
        names = [fact.name for fact in await _gather(company, request, freshness)]
        assert len(names) == len(set(names))


# ── who may be told ─────────────────────────────────────────────────────────────────────────────────────────


class _CountingAccounts:
    """Accounts that remember whether anybody asked."""

    def __init__(self, real: Systems) -> None:
        self.real, self.asked = real, 0

    async def account(self, account_id: str) -> AccountRecord | None:
        self.asked += 1
        return await self.real.accounts.account(account_id)

    async def account_of_domain(self, domain: str) -> AccountRecord | None:
        self.asked += 1
        return await self.real.accounts.account_of_domain(domain)

    async def person(self, email: str) -> PersonRecord | None:
        self.asked += 1
        return await self.real.accounts.person(email)


async def test_nothing_of_an_account_is_looked_up_for_an_unverified_requester(
    company: SandboxCompany, freshness: Freshness
) -> None:
    accounts = _CountingAccounts(company.systems())
    systems = replace(company.systems(), accounts=accounts)
    asks = Request("ingrid@harrowpell.example", "Ingrid", verified=False, account_id="A-1006")
    facts = await gather_facts(systems, asks, freshness, company.now, 1.0)
    assert accounts.asked == 0
    for name in (*OF_ACCOUNT, "requester.known", "requester.role", "requester.executive", "incidents.affecting"):
        assert facts.get(name).standing is Standing.MISSING
        assert facts.get(name).note == "the requester is not verified"
        assert facts.get(name).value is None
    assert facts.get("requester.email").standing is Standing.CLAIMED
    assert facts.get("requester.name").standing is Standing.CLAIMED
    assert facts.get("account.claimed").standing is Standing.CLAIMED
    assert facts.value("requester.verified") is False
    assert not [f for f in facts if f.name.startswith(("entitlement.", "account.", "contract.")) and f.known]


async def test_what_the_status_page_says_is_told_to_anybody(company: SandboxCompany, freshness: Freshness) -> None:
    facts = await _gather(company, Request("stranger@mailbox.example"), freshness)
    assert facts.value("incidents.active") == ("INC-2342",)
    assert "INC-2342" in str(facts.value("incidents.last_summary"))


async def test_a_verified_requester_is_not_told_of_an_account_that_the_ticket_merely_names(
    company: SandboxCompany, freshness: Freshness
) -> None:
    facts = await _gather(company, replace(MINA, account_id="A-1006"), freshness)
    assert {facts.get(name).standing for name in OF_ACCOUNT} == {Standing.MISSING}
    assert "another account" in facts.get("account.tier").note


async def test_a_ticket_may_name_the_requesters_own_account_by_id_or_name(
    company: SandboxCompany, freshness: Freshness
) -> None:
    for named in ("A-1011", "kestrel analytics"):
        facts = await _gather(company, replace(MINA, account_id=named), freshness)
        assert facts.value("account.tier") == "team"


async def test_a_verified_mail_domain_opens_its_account_but_not_a_role(
    company: SandboxCompany, freshness: Freshness
) -> None:
    facts = await _gather(company, Request("new.hire@kestrel-analytics.example", verified=True), freshness)
    assert facts.value("account.tier") == "team"
    assert facts.get("requester.known").value is False
    assert facts.get("requester.role").standing is Standing.MISSING
    assert facts.get("requester.executive").standing is Standing.MISSING


@pytest.mark.parametrize("email", ["who@elsewhere.example", "who@mail.kestrel-analytics.example", "nonsense", ""])
async def test_an_address_that_nothing_ties_to_an_account_opens_none(
    company: SandboxCompany, freshness: Freshness, email: str
) -> None:
    facts = await _gather(company, Request(email, verified=True, account_id="A-1011"), freshness)
    assert {facts.get(name).standing for name in OF_ACCOUNT} == {Standing.MISSING}


async def test_a_domain_that_two_accounts_share_or_anybody_can_have_opens_none(
    company: SandboxCompany, freshness: Freshness
) -> None:
    account = _mina_account(company)
    company.put(replace(account, account_id="A-2001", domain="twins.example"))
    company.put(replace(account, account_id="A-2002", domain="twins.example"))
    company.put(replace(account, account_id="A-2003", domain="gmail.com"))
    for email in ("someone@twins.example", "someone@gmail.com"):
        facts = await _gather(company, Request(email, verified=True), freshness)
        assert facts.get("account.tier").standing is Standing.MISSING


# ── systems that fail ───────────────────────────────────────────────────────────────────────────────────────

BY_SYSTEM = {lookup.system: lookup.names for lookup in LOOKUPS if lookup.system not in ("ticket",)}


@pytest.mark.parametrize("system", sorted(SYSTEM_NAMES - {"accounts", "knowledge"}))
async def test_a_system_that_is_down_leaves_its_facts_missing_and_no_others(system: str, freshness: Freshness) -> None:
    facts = await _gather(SandboxCompany(down=frozenset({system})), INGRID, freshness)
    for name in BY_SYSTEM[system]:
        assert facts.get(name).standing is Standing.MISSING
        assert facts.get(name).note.startswith(f"{system} did not answer")
    others = [n for s, names in BY_SYSTEM.items() if s not in (system, "accounts") for n in names]
    assert {facts.get(name).standing for name in others} == {Standing.CONFIRMED}
    assert facts.value("account.tier") == "enterprise"


@pytest.mark.parametrize("system", sorted(SYSTEM_NAMES - {"accounts", "knowledge"}))
async def test_a_system_that_hangs_is_given_up_and_the_others_are_not(system: str, freshness: Freshness) -> None:
    facts = await _gather(SandboxCompany(slow=frozenset({system})), INGRID, freshness, 0.05)
    assert {facts.get(name).standing for name in BY_SYSTEM[system]} == {Standing.MISSING}
    assert "within 0.05 s" in facts.get(BY_SYSTEM[system][0]).note
    assert facts.value("account.tier") == "enterprise"


@pytest.mark.parametrize("fault", ["down", "slow"])
async def test_without_the_accounts_nobody_is_tied_to_an_account(fault: str, freshness: Freshness) -> None:
    company = SandboxCompany(**{fault: frozenset({"accounts"})})
    facts = await _gather(company, INGRID, freshness, 0.05)
    assert {facts.get(name).standing for name in OF_ACCOUNT} == {Standing.MISSING}
    assert facts.get("contract.reference").note.startswith("accounts did not answer")
    assert facts.value("requester.verified") is True


async def test_all_systems_hanging_take_no_longer_than_two_timeouts(freshness: Freshness) -> None:
    company = SandboxCompany(slow=SYSTEM_NAMES)
    begun = datetime.now(UTC)
    facts = await _gather(company, INGRID, freshness, 0.05)
    assert datetime.now(UTC) - begun < timedelta(seconds=2)
    assert facts.get("account.tier").standing is Standing.MISSING


@pytest.mark.parametrize("system", sorted(SYSTEM_NAMES - {"knowledge", "accounts"}))
async def test_a_record_older_than_the_release_allows_is_stale(system: str, freshness: Freshness) -> None:
    facts = await _gather(SandboxCompany(stale=frozenset({system})), INGRID, freshness)
    for name in BY_SYSTEM[system]:
        fact = facts.get(name)
        assert fact.standing is Standing.STALE
        assert not fact.known
        assert "older than" in fact.note
        assert fact.as_of is not None


async def test_stale_accounts_make_account_and_requester_stale(freshness: Freshness) -> None:
    facts = await _gather(SandboxCompany(stale=frozenset({"accounts"})), INGRID, freshness)
    assert facts.get("account.tier").standing is Standing.STALE
    assert facts.get("requester.executive").standing is Standing.STALE


async def test_a_record_of_exactly_the_allowed_age_is_not_stale(company: SandboxCompany, freshness: Freshness) -> None:
    allowed = company.now - timedelta(days=freshness.contracts)
    company.put(replace(_mina_contract(company), as_of=allowed))
    assert (await _gather(company, MINA, freshness)).get("contract.reference").standing is Standing.CONFIRMED
    company.put(replace(_mina_contract(company), as_of=allowed - timedelta(seconds=1)))
    assert (await _gather(company, MINA, freshness)).get("contract.reference").standing is Standing.STALE


async def test_a_foreign_exception_is_told_by_its_kind_only(company: SandboxCompany, freshness: Freshness) -> None:
    class Contracts:
        async def contract(self, account_id: str) -> ContractRecord | None:
            raise RuntimeError("token=s3cret")

    systems = replace(company.systems(), contracts=Contracts())
    facts = await gather_facts(systems, MINA, freshness, company.now, 1.0)
    assert facts.get("contract.reference").note == "contracts failed with RuntimeError"


# ── none is an answer, silence is not ───────────────────────────────────────────────────────────────────────


async def test_a_system_that_answers_none_confirms_that_there_is_none(
    company: SandboxCompany, freshness: Freshness
) -> None:
    facts = await _gather(company, MINA, freshness)
    expected: dict[str, object] = {
        "credits.issued_recently": False,
        "credits.total_90_days": 0.0,
        "changes.recent_kinds": (),
        "changes.recent_role_change": False,
        "contacts.unresolved": 0,
        "incidents.affecting": (),
        "contract.negotiated_topics": (),
        "contract.cycle_overlaps_credit": False,
    }
    for name, value in expected.items():
        assert facts.get(name).value == value, name
        assert facts.get(name).standing is Standing.CONFIRMED, name


async def test_a_published_plan_without_a_contract_is_on_standard_terms(
    company: SandboxCompany, freshness: Freshness
) -> None:
    company.remove(ContractRecord, "A-1011")
    facts = await _gather(company, MINA, freshness)
    assert facts.value("contract.reference") == "standard terms"
    assert facts.value("contract.exception_terms") is False
    assert facts.value("contract.cycle_overlaps_credit") is False


async def test_a_special_plan_without_a_contract_is_missing_its_contract(
    company: SandboxCompany, freshness: Freshness
) -> None:
    company.remove(ContractRecord, "A-1006")
    fact = (await _gather(company, INGRID, freshness)).get("contract.reference")
    assert fact.standing is Standing.MISSING
    assert "not a published one" in fact.note


async def test_no_entitlement_on_record_is_missing_rather_than_no(
    company: SandboxCompany, freshness: Freshness
) -> None:
    company.remove(EntitlementRecord, "A-1011")
    assert (await _gather(company, MINA, freshness)).get("entitlements.on_record").standing is Standing.MISSING


# ── systems that disagree ───────────────────────────────────────────────────────────────────────────────────


async def test_an_amendment_that_was_signed_and_not_entered_contradicts_the_account(
    company: SandboxCompany, freshness: Freshness
) -> None:
    facts = await _gather(company, Request("simon@ashgrove-legal.example", verified=True), freshness)
    for name in ("account.tier", "account.plan", "account.standard_plan"):
        assert facts.get(name).standing is Standing.CONFLICTING
        assert facts.get(name).note.startswith("accounts says ")
        assert "contracts says" in facts.get(name).note
    assert facts.value("contract.unreflected_amendments") == 1


@pytest.mark.parametrize(
    ("change", "name", "ours", "theirs"),
    [
        ({"tier": "business"}, "tier", "team", "business"),
        ({"plan": "team monthly"}, "plan", "team annual", "team monthly"),
        ({"status": "suspended"}, "status", "active", "suspended"),
    ],
)
async def test_what_two_systems_tell_differently_conflicts_with_both_values_told(
    company: SandboxCompany,
    freshness: Freshness,
    change: dict[str, str],
    name: str,
    ours: str,
    theirs: str,
) -> None:
    contract = _mina_contract(company)
    company.put(
        replace(
            contract,
            tier=change.get("tier", ""),
            plan=change.get("plan", ""),
            status=change.get("status", ""),
        )
    )
    facts = await _gather(company, MINA, freshness)
    for fact in (facts.get(f"account.{name}"), facts.get(f"contract.{name}")):
        assert fact.standing is Standing.CONFLICTING
        assert f"accounts says {ours}" in fact.note
        assert f"contracts says {theirs}" in fact.note


async def test_what_two_systems_tell_alike_does_not_conflict(company: SandboxCompany, freshness: Freshness) -> None:
    company.put(replace(_mina_contract(company), tier="team", plan="team annual", status="active"))
    facts = await _gather(company, MINA, freshness)
    assert not facts.of(Standing.CONFLICTING)


async def test_a_plan_and_a_billing_cycle_that_do_not_fit_conflict(
    company: SandboxCompany, freshness: Freshness
) -> None:
    company.put(replace(_mina_contract(company), billing_cycle="monthly"))
    facts = await _gather(company, MINA, freshness)
    assert facts.get("account.plan").standing is Standing.CONFLICTING
    assert facts.get("contract.billing_cycle").standing is Standing.CONFLICTING


async def test_a_plan_that_is_annual_and_billed_monthly_fits_a_monthly_cycle(
    company: SandboxCompany, freshness: Freshness
) -> None:
    facts = await _gather(company, Request("corin@northgate-logistics.example", verified=True), freshness)
    assert facts.get("account.plan").standing is Standing.CONFIRMED


async def test_more_seats_than_the_entitlement_allows_is_a_conflict(
    company: SandboxCompany, freshness: Freshness
) -> None:
    company.put(replace(_mina_account(company), seats=99))
    assert (await _gather(company, MINA, freshness)).get("account.seats").standing is Standing.CONFLICTING


async def test_only_the_accounts_of_the_story_conflict_in_the_made_up_company(
    company: SandboxCompany, freshness: Freshness
) -> None:
    found = set()
    for people in company.directory.shelves.people.rows.values():
        facts = await _gather(company, Request(people[0].email, verified=True), freshness)
        assert not facts.of(Standing.STALE)
        found |= {people[0].account_id for _ in facts.of(Standing.CONFLICTING)}
    assert found == {"A-1015"}


# ── single lookups ──────────────────────────────────────────────────────────────────────────────────────────


async def test_recent_changes_are_those_of_the_last_thirty_days(company: SandboxCompany, freshness: Freshness) -> None:
    def change(kind: str, days: int) -> ChangeRecord:
        return ChangeRecord("A-1011", company.now - timedelta(days=days), kind, "x", "y", "z")

    company.put(change("role_change", 31), change("plan_change", 30), change("seat_change", 1))
    facts = await _gather(company, MINA, freshness)
    assert facts.value("changes.recent_kinds") == ("plan_change", "seat_change")
    assert facts.value("changes.recent_role_change") is False
    assert facts.value("changes.recent_plan_change") is True
    company.put(change("owner_change", 2))
    assert (await _gather(company, MINA, freshness)).value("changes.recent_role_change") is True


async def test_credits_in_two_currencies_have_no_sum(company: SandboxCompany, freshness: Freshness) -> None:
    def credit(currency: str) -> CreditRecord:
        return CreditRecord("A-1011", company.now, "goodwill_credit", 10.0, currency, "r", "", None)

    company.put(credit("USD"), credit("EUR"))
    fact = (await _gather(company, MINA, freshness)).get("credits.total_90_days")
    assert fact.standing is Standing.MISSING
    assert "EUR, USD" in fact.note


async def test_a_credit_of_long_ago_is_not_recent_but_still_the_last(
    company: SandboxCompany, freshness: Freshness
) -> None:
    old = company.now - timedelta(days=91)
    company.put(CreditRecord("A-1011", old, "refund", 12.0, "USD", "r", "", None))
    facts = await _gather(company, MINA, freshness)
    assert facts.value("credits.issued_recently") is False
    assert str(facts.value("credits.last")).startswith("refund of 12.00 USD")


async def test_an_incident_affects_until_fourteen_days_after_it_was_resolved(
    company: SandboxCompany, freshness: Freshness
) -> None:
    def incident(name: str, days: int | None, who: tuple[str, ...] | None, region: str = "us") -> IncidentRecord:
        ended = None if days is None else company.now - timedelta(days=days)
        status = "monitoring" if days is None else "resolved"
        begun = company.now - timedelta(days=40)
        return IncidentRecord(name, "t", status, begun, ended, (), (region,), who, "s", company.now)

    company.put(
        incident("I-OPEN", None, ("A-1011",)),
        incident("I-NEW", 14, ("A-1011",)),
        incident("I-OLD", 15, ("A-1011",)),
        incident("I-OTHER", None, ("A-1001",)),
        incident("I-ALL", None, None),
        incident("I-ELSEWHERE", None, None, "eu"),
    )
    facts = await _gather(company, MINA, freshness)
    assert set(facts.value("incidents.affecting") or ()) == {"I-OPEN", "I-NEW", "I-ALL"}  # type: ignore[arg-type]
    assert "I-OTHER" in (facts.value("incidents.active") or ())  # type: ignore[operator]


async def test_the_ticket_at_hand_is_not_an_earlier_contact(company: SandboxCompany, freshness: Freshness) -> None:
    company.put(ContactRecord("A-1011", MINA.email, company.now, "billing", "s", False, "T-1"))
    assert (await _gather(company, MINA, freshness)).value("contacts.unresolved") == 1
    assert (await _gather(company, replace(MINA, ticket_id="T-1"), freshness)).value("contacts.unresolved") == 0


async def test_three_unresolved_contacts_are_counted(company: SandboxCompany, freshness: Freshness) -> None:
    facts = await _gather(company, Request("kai@junipercoast.example", verified=True), freshness)
    assert facts.value("contacts.unresolved") == 3
    assert not [f for f in facts if "Still no export file" in str(f.value)], "a customer's words are no fact"


async def test_attachments_nobody_read_are_counted(company: SandboxCompany, freshness: Freshness) -> None:
    facts = await _gather(company, replace(MINA, unread=("a.png", "b.csv")), freshness)
    assert facts.value("attachments.unread") == 2


async def test_a_renewal_date_that_has_passed_is_stale(company: SandboxCompany, freshness: Freshness) -> None:
    company.put(replace(_mina_contract(company), renewal_date=date(2026, 3, 1)))
    fact = (await _gather(company, MINA, freshness)).get("contract.renewal_in_days")
    assert (fact.value, fact.standing) == (-9, Standing.STALE)


async def test_the_days_to_renewal_come_from_the_injected_clock(company: SandboxCompany, freshness: Freshness) -> None:
    later = company.now + timedelta(days=5)
    facts = await gather_facts(company.systems(), INGRID, freshness, later, 1.0)
    assert facts.get("contract.renewal_in_days").value == 16


@pytest.mark.parametrize(
    ("cycle", "start", "today", "expected"),
    [
        ("monthly", date(2026, 1, 31), date(2026, 2, 28), (date(2026, 2, 28), date(2026, 3, 30))),
        ("monthly", date(2026, 2, 18), date(2026, 3, 10), (date(2026, 2, 18), date(2026, 3, 17))),
        ("annual", date(2024, 2, 29), date(2026, 3, 10), (date(2026, 2, 28), date(2027, 2, 27))),
        ("quarterly", date(2025, 11, 1), date(2026, 3, 10), (date(2026, 2, 1), date(2026, 4, 30))),
        ("none", date(2025, 1, 1), date(2026, 3, 10), None),
        ("monthly", date(2026, 4, 1), date(2026, 3, 10), None),
    ],
)
def test_the_current_cycle_holds_today(
    cycle: str, start: date, today: date, expected: tuple[date, date] | None
) -> None:
    assert current_cycle(cycle, start, today) == expected


def test_every_fact_that_the_policy_asks_for_is_one_that_a_lookup_gives() -> None:
    release = parse_release(RELEASE.read_text(), RELEASE.name)
    asked = {s.fact for s in release.signal if s.fact} | {n for f in release.family for n in (*f.needs, *f.decisive)}
    given = {name for lookup in LOOKUPS for name in lookup.names} | {"requester.verified"}
    assert asked - given - {"contract.cycle_overlaps_credit"} == set()


def test_a_fault_in_a_system_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such system: contract;"):
        SandboxCompany(down=frozenset({"contract"}))
