"""The case format: what a support lead may write, what it becomes, and how a fault is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from evals.case import Case, CaseError, read_case, read_cases
from evals.evidence import Evidence
from evals.run import CaseClock, CaseRun, company_for, run_case
from guards.policy import Release
from ledger.events import Kind
from ledger.store import Store, open_store
from tools.systems import Audience

HEAD = """
id = "c"
title = "t"
why = "w"
kind = "risky"
[requester]
email = "hazel@maplefinch.example"
name = "Hazel Lindqvist"
verified = true
"""
ASKS = '[[thread]]\nfrom = "customer"\ntext = "Where do I find audit logs in the admin panel?"\n'
REFUNDS = '[[thread]]\nfrom = "customer"\ntext = "Please refund the seats that we bought by mistake."\n'
EXPECT = '[expect]\nlanes = [1, 2, 3]\nunit = "answer"\n'


def case(*parts: str, expect: str = EXPECT) -> Case:
    return read_case("\n".join([HEAD, *parts, expect]), "c.toml")


async def played(one: Case, release: Release, tmp_path: Path) -> tuple[CaseRun, Evidence, Store]:
    clock = CaseClock(datetime(2020, 1, 1, tzinfo=UTC))
    store = open_store(tmp_path / "l.sqlite3", clock=clock)
    run = await run_case(one, release, store, tmp_path, clock=clock)
    assert run.evidence is not None
    return run, run.evidence, store


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("parts", "expect", "told"),
    [
        ([ASKS, "live = 3"], EXPECT, r"thread\.0\.live"),
        (['[[thread]]\nfrom = "customer"'], EXPECT, "text is missing"),
        (['[[thread]]\nfrom = "person"', ASKS], EXPECT, "says what they do"),
        ([ASKS, 'does = "claim"'], EXPECT, 'only from = "person" does something'),
        (['[[thread]]\nfrom = "person"\ndoes = "claim"', ASKS], EXPECT, "set live = true"),
        ([ASKS, "verified = false", ASKS], EXPECT, "set live = true"),
        ([ASKS, "live = true", '[[thread]]\nfrom = "agent"\ntext = "x"', ASKS], EXPECT, "the machine itself answers"),
        ([ASKS, '[[thread]]\nfrom = "agent"\ntext = "x"'], EXPECT, "last message must be the customer's"),
        ([ASKS], EXPECT + "at_each = [1, 2]", "2 lanes for 1 live messages"),
        ([ASKS], '[expect]\nlanes = [2]\nunit = "answer"\nanswered_by = "x"', "only lane 1 answers"),
        (['[world]\nput = [{kind = "sofa"}]', ASKS], EXPECT, "kind 'sofa' is not one of account, person"),
        (['[world]\nput = [{kind = "credit", colour = 1}]', ASKS], EXPECT, "credit has no field 'colour'"),
        (['[world]\nremove = [{kind = "sofa", key = "x"}]', ASKS], EXPECT, "kind 'sofa'"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_to_do(parts: list[str], expect: str, told: str) -> None:
    with pytest.raises(CaseError, match=told):
        case(*parts, expect=expect)


def test_markdown_with_front_matter_is_the_same_case() -> None:
    body = "+++\n" + HEAD.strip() + "\n\n" + EXPECT + "+++\n\n## agent\n\nHello.\n\n## customer\n\nWhere is it?\n"
    one = read_case(body, "c.md")
    assert [(t.from_, t.text.strip()) for t in one.thread] == [("agent", "Hello."), ("customer", "Where is it?")]
    with pytest.raises(CaseError, match="before the first heading"):
        read_case(body.replace("\n## agent", "\nwords\n## agent"), "c.md")
    with pytest.raises(CaseError, match="has no end"):
        read_case("+++\nid = 1\n", "c.md")


def test_two_cases_of_one_id_and_a_twin_that_is_not_there_are_named(tmp_path: Path) -> None:
    text = HEAD + ASKS + EXPECT
    (tmp_path / "a.toml").write_text(text, encoding="utf-8")
    (tmp_path / "b.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CaseError, match="another case has the id 'c'"):
        read_cases(tmp_path)
    (tmp_path / "b.toml").unlink()
    (tmp_path / "a.toml").write_text('twin = "gone"\n' + text, encoding="utf-8")
    with pytest.raises(CaseError, match="twin 'gone'"):
        read_cases(tmp_path)


# ── the world ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_put_and_removed_is_what_the_machine_finds() -> None:
    one = case(
        '[world]\nput = [{kind = "account", account_id = "A-1001", status = "past_due"},'
        ' {kind = "incident", incident_id = "INC-9", title = "t", status = "identified", started_at = 2026-03-10T06:00:00,'
        ' resolved_at = 2026-03-10T07:00:00Z, components = ["x"], regions = [], account_ids = ["A-1001"], public_summary = "s"}]'
        '\nremove = [{kind = "article", key = "audit-log"}, {kind = "contract", key = "A-1001"}]',
        ASKS,
    )
    world = company_for(one)
    systems = world.systems()
    account = await systems.accounts.account("A-1001")
    assert account is not None
    assert (account.status, account.name != "", account.as_of) == ("past_due", True, world.now)
    assert await systems.contracts.contract("A-1001") is None
    assert "audit-log" not in {a.article_id for a in await systems.knowledge.articles(set(Audience))}
    (incident,) = [i for i in (await systems.incidents.incidents()).records if i.incident_id == "INC-9"]
    assert incident.started_at == datetime(2026, 3, 10, 6, tzinfo=UTC)
    assert (incident.account_ids, incident.as_of) == (("A-1001",), world.now)


async def test_a_change_and_a_credit_say_what_they_are_beside_which_record_it_is() -> None:
    company = company_for(
        case(
            '[world]\nput = [{kind = "change", account_id = "A-1001", at = 2026-03-09T18:20:00Z, what = "role_change",'
            ' subject = "s", by = "b", detail = "member to admin"}, {kind = "credit", account_id = "A-1001",'
            ' at = 2026-03-03T10:00:00Z, what = "refund", amount = 4.0, currency = "USD", reason = "r",'
            ' incident_id = "", period_end = 2026-03-31}]',
            ASKS,
        )
    )
    systems = company.systems()
    changed = (await systems.changes.changes("A-1001")).records
    given = (await systems.credits.credits("A-1001")).records
    assert "role_change" in [c.kind for c in changed]
    assert [(c.kind, c.amount) for c in given] == [("refund", 4.0)]


@pytest.mark.parametrize(
    ("put", "told"),
    [
        ('{kind = "credit", account_id = "A-1001"}', "c: world: put credit: at, what, "),
        ('{kind = "account", account_id = "A-9"}', r"put account: name, .*nothing is on file under 'A-9'"),
        ('{kind = "account", account_id = "A-1001", seats = "many"}', "put account: seats: Input should be"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(put: str, told: str) -> None:
    with pytest.raises(CaseError, match=told):
        company_for(case(f"[world]\nput = [{put}]", ASKS))


def test_a_system_that_does_not_exist_and_a_company_without_a_day_are_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no such system: sofa"):
        company_for(case('[world]\nunavailable = ["sofa"]', ASKS))
    (tmp_path / "company.toml").write_text(
        'name = "N"\nproduct = "P"\ncurrency = "EUR"\nsupport_address = "s@n.example"\n', encoding="utf-8"
    )
    with pytest.raises(CaseError, match=r"\[world\] today"):
        company_for(case(ASKS), tmp_path)
    told = company_for(case("[world]\ntoday = 2026-05-01T09:00:00Z", ASKS), tmp_path)
    assert told.now == datetime(2026, 5, 1, 9, tzinfo=UTC)


# ── several turns ───────────────────────────────────────────────────────────────────────────────────────────


async def test_each_live_message_runs_by_itself_and_the_answer_before_it_has_arrived(
    release: Release, tmp_path: Path
) -> None:
    run, seen, _ = await played(case(ASKS, "live = true", REFUNDS), release, tmp_path)
    assert seen.lanes[0] == 1
    assert seen.lanes[1] > 1
    assert [e.kind for e in seen.of_kind(Kind.CUSTOMER_WROTE)] == [Kind.CUSTOMER_WROTE] * 2
    assert [e.head["piece"] for e in seen.of_kind(Kind.DELIVERED)] == ["answer"]
    assert run.result.packet is not None
    assert [s.by for s in run.result.packet.customer.said] == ["assistant"]


async def test_what_stands_before_the_first_live_message_is_told_as_earlier(release: Release, tmp_path: Path) -> None:
    _, seen, _ = await played(
        case(ASKS, '[[thread]]\nfrom = "agent"\ntext = "Under Audit."', REFUNDS), release, tmp_path
    )
    assert len(list(seen.of_kind(Kind.CUSTOMER_WROTE))) == 1
    assert len(seen.lanes) == 1


async def test_the_clock_moves_and_deadlines_pass_before_a_later_turn(release: Release, tmp_path: Path) -> None:
    late = REFUNDS.replace("Please", "Again, please") + "after_hours = 60\n"
    _, seen, store = await played(case(REFUNDS, "live = true", late), release, tmp_path)
    assert list(seen.of_kind(Kind.DEADLINE_PASSED))
    first, second = seen.of_kind(Kind.CUSTOMER_WROTE)
    assert (second.at - first.at).total_seconds() == 60 * 3600
    assert store.now() == second.at


async def test_one_message_may_come_from_nobody_known(release: Release, tmp_path: Path) -> None:
    run, _, _ = await played(case(ASKS, "live = true", REFUNDS, "verified = false"), release, tmp_path)
    assert not run.result.ticket.verified


async def test_people_claim_approve_hand_back_and_resolve_between_the_turns(release: Release, tmp_path: Path) -> None:
    discount = '[[thread]]\nfrom = "customer"\ntext = "Could you give us a discount?"\nlive = true\n'
    acts = "".join(f'[[thread]]\nfrom = "person"\ndoes = "{act}"\n' for act in ("claim", "approve", "hand_back"))
    one = case(discount, acts, ASKS, '[[thread]]\nfrom = "person"\ndoes = "resolve"')
    _, seen, _ = await played(one, release, tmp_path)
    assert seen.failed_acts == ()
    decided = [e.head["decision"] for e in seen.of_kind(Kind.PERSON_DECIDED)]
    assert decided == ["claimed", "edited_and_approved", "handed_back", "resolved"]
    approved = [d for d in seen.deliveries if d.letter.piece.value == "approved"]
    assert [d.state.value for d in approved] == ["sent"]
    assert "[Agent:" not in (approved[0].body.text or "")
    assert seen.lanes == (2, 1)


async def test_an_act_that_cannot_be_done_is_a_finding_and_no_crash(release: Release, tmp_path: Path) -> None:
    one = case(ASKS, 'live = true\n[[thread]]\nfrom = "person"\ndoes = "reject"', ASKS)
    run, seen, _ = await played(one, release, tmp_path)
    assert len(seen.failed_acts) == 1
    assert ("acts_done", "high_risk") in {(f.scorer, f.severity.value) for f in run.findings}
