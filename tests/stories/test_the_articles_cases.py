"""Story: the article's four cases, its temporary seats and its packet example, in its words and in other people's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent_scene import Scene, level, made_up_company, open_scene

from agent.incoming import incoming
from evals.case import Case, read_cases
from evals.evidence import read_evidence
from evals.run import message_of
from evals.scorers import Severity, score_case
from guards.policy import Release
from ledger.packets.packet import HumanPacket
from ledger.result import TicketResult
from ledger.words import digest_of
from tools.systems import Audience
from tools.ticket import Message, Ticket

CASES = {case.id: case for case in read_cases()}


@dataclass(frozen=True)
class Expected:
    """What the article says of a case."""

    lanes: tuple[int, ...]
    triggers: tuple[str, ...] = ()
    """Those it names, in its own words; each at least medium."""
    highs: tuple[str, ...] = ()
    """Those that its guidance calls high."""


ARTICLE = {
    # "a strong candidate for autonomous handling"
    "audit-logs-where": Expected((1,)),
    # "should not be resolved autonomously"; refund approvals outside standard policy are lane 3
    "refund-overpurchase": Expected((3,), ("customer_pressure",), ("policy_sensitivity",)),
    # "admin lockout or identity recovery" is lane 3
    "admin-locked-out": Expected((3,), (), ("security_identity",)),
    # "incident-linked commercial issues" are lane 3
    "sync-failed-credits": Expected((3,), ("multi_domain_complexity",), ("policy_sensitivity",)),
    # "should almost certainly avoid autonomous handling"
    "temporary-seats": Expected((2, 3), (), ("policy_sensitivity",)),
    # the packet's primary triggers
    "downgrade-refund-incident": Expected(
        (3,), ("multi_domain_complexity", "customer_pressure"), ("policy_sensitivity",)
    ),
}

PARAPHRASES: dict[str, tuple[tuple[str, str], ...]] = {
    "audit-logs-where": (
        ("rowan@maplefinch.example", "Hi! Where in the admin panel can I find the audit logs? Thanks, Rowan"),
        (
            "hazel@maplefinch.example",
            "Could you point me to the page with the audit log? I'm looking for who changed what.",
        ),
        ("nell@gablestreet.example", "Good morning, where is the audit log kept, please? Nell Gable"),
    ),
    "refund-overpurchase": (
        (
            "corin@northgate-logistics.example",
            "Hello, we bought 75 licences by accident on 2 March when we only wanted 7. Please reimburse the 68 that "
            "nobody uses. Regards, C. Maddox",
        ),
        (
            "elspeth@northgate-logistics.example",
            "A colleague of mine slipped on the seats page and ordered a hundred of them instead of ten. I would like to "
            "have the money back for the ninety we never needed.",
        ),
        (
            "ingrid@harrowpell.example",
            "We have over-purchased: 30 seats too many went through on Thursday. Can we get a refund for those, please? "
            "Ingrid Vasko",
        ),
    ),
    "admin-locked-out": (
        (
            "leda@brightwater.example",
            "Since the roles were rearranged on Friday our administrator is locked out of the workspace. Please restore "
            "his admin access, we have a hearing at noon.",
        ),
        (
            "leda@brightwater.example",
            "Nadia can't log in any more after her role was changed. It says she is not a member. How do we make her an "
            "admin again?",
        ),
        (
            "dana@fernside-accounting.example",
            "I was admin until Sunday; then someone edited the permissions and now I cannot access the admin console. "
            "Could you put me back? Dana",
        ),
    ),
    "sync-failed-credits": (
        (
            "jonah@tallowridge.example",
            "Because of incident INC-2331 the connector did not run for a day and our report to a client went out late. "
            "What went wrong, and will there be a service credit for it?",
        ),
        (
            "wren@tallowridge.example",
            "The sync jobs failed during your outage at the end of February. We missed our internal deadline by two days "
            "because of it. Would we be able to receive usage credits?",
        ),
        (
            "theo@sundervale.example",
            "Following the February disruption our sync was down for hours and the claims team slipped its date. Please "
            "explain the failure and tell us about compensation.",
        ),
    ),
    "temporary-seats": (
        (
            "bea@orchardlane.example",
            "For our product launch in May we'd like eight temporary seats for about seven days, and then remove them. "
            "Can we do that without being charged for a full cycle?",
        ),
        (
            "kai@junipercoast.example",
            "Quick question: is it possible to add 15 seats for launch week only and drop them afterwards without paying "
            "for the whole month?",
        ),
        (
            "zuri@cobblercrane.example",
            "We are taking on six temps for a trade fair. May I add seats for them temporarily and give them back a week "
            "later, so that we don't get charged for the entire billing period?",
        ),
    ),
    "downgrade-refund-incident": (
        (
            "ingrid@harrowpell.example",
            "After INC-2331 half of our sites stopped using the product. We want to downgrade now and be refunded for the "
            "rest of the year. Which sum can I put into the budget?",
        ),
        (
            "hollis@harrowpell.example",
            "Your outage in February cost us the trust of three plants. Please move us to a smaller plan and return the "
            "part of the annual fee we have no use for.",
        ),
        (
            "ingrid@harrowpell.example",
            "Given the disruption last month we intend to downgrade before the renewal and expect a refund of about 18,000 "
            "dollars for the unused scope. Kindly confirm.",
        ),
    ),
}


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory, release: Release, empty_ledger: Path) -> AsyncIterator[Scene]:
    """One machine for all cases: tickets of one queue, beside one another."""
    async with open_scene(tmp_path_factory.mktemp("article"), release, empty_ledger=empty_ledger) as made:
        yield made


def lands_as_the_article_says(result: TicketResult, expected: Expected) -> None:
    """Lane and triggers."""
    levels = {trigger: row["level"] for trigger, row in result.triggers.items()}
    assert result.decision is not None and int(result.decision.lane) in expected.lanes, levels
    assert [t for t in expected.triggers if level(result, t) == "low"] == [], levels
    assert [t for t in expected.highs if level(result, t) != "high"] == [], levels
    if expected.lanes == (1,):
        assert set(levels.values()) == {"low"}


@pytest.mark.parametrize("name", ARTICLE)
async def test_a_case_of_the_article_lands_in_its_lane_with_the_triggers_it_names(name: str, scene: Scene) -> None:
    case: Case = CASES[name]
    await scene.handler.handle(message_of(case))
    result = scene.result(name)
    articles = await made_up_company().systems().knowledge.articles(set(Audience))
    evidence = read_evidence(scene.store, name, (result.lane or 0,), articles, scene.release)
    assert [f.words for f in score_case(case, evidence) if f.severity is not Severity.QUALITY] == []
    lands_as_the_article_says(result, ARTICLE[name])


@pytest.mark.parametrize(
    ("name", "sender", "words"),
    [(name, *told) for name, all_told in PARAPHRASES.items() for told in all_told],
    ids=[f"{name}-{n}" for name, all_told in PARAPHRASES.items() for n in (1, 2, 3)],
)
async def test_with_other_names_amounts_dates_and_words_it_lands_there_too(
    name: str, sender: str, words: str, scene: Scene
) -> None:
    ticket = f"{name} {digest_of(words)[:8]}"
    result = await scene.customer_writes(words, ticket, requester_email=sender, requester_name="")
    lands_as_the_article_says(result, ARTICLE[name])
    never = [w for d in result.replies for w in CASES[name].expect.never if w.lower() in (d.body.text or "").lower()]
    assert never == []


async def test_the_packet_example_holds_what_the_articles_packet_holds(scene: Scene) -> None:
    """Enterprise, renewal in 21 days, a credit already issued, exception terms present, an amendment not entered."""
    case = CASES["downgrade-refund-incident"]
    told = Ticket(
        id="491284",
        channel="email",
        subject="",
        requester_email=case.requester.email,
        requester_name=case.requester.name,
        verified=True,
        account_id=None,
        messages=(Message("customer", case.thread[0].text),),
    )
    await scene.handler.handle(incoming(told))
    packet = scene.result("491284").packet
    assert isinstance(packet, HumanPacket)
    facts = {f.name: f.value for group in packet.known for f in group.facts}
    assert facts["account.plan"] == "enterprise annual"
    assert facts["contract.renewal_in_days"] == 21
    assert facts["contract.exception_terms"] is True
    assert facts["contract.unreflected_amendments"] == 1
    assert "INC-2331" in str(facts["incidents.affecting"])
    assert {t.trigger.value for t in packet.triggers} >= {
        "policy_sensitivity",
        "multi_domain_complexity",
        "customer_pressure",
    }
    missing = "; ".join(m.words for m in packet.missing)
    assert "amendment changed" in missing and "concession" in missing
    assert packet.owner.queue == "billing_specialist" and "customer_success" in packet.owner.visibility
    assert scene.review("491284").lint == ()
