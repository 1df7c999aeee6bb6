"""The desk without a browser: who may do what, what is shown to whom, and what no form can bring about."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_house import TICKET, Clock, House, assisted_packet
from starlette.testclient import TestClient

import desk
from desk.accounts.people import May, Person, Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.channels.console import ConsoleChannel
from desk.counter import Counter
from desk.deciding import _RATINGS
from desk.decisions import token
from desk.errors import DecisionRefused, NotAllowed
from desk.operators import inbox as operator_inbox
from desk.operators.acts import ACTS, Asked, approve_opened, do
from desk.operators.foreseeing import what_follows
from desk.operators.inbox import Filter, OperatorInbox, Tab, asked_blind
from desk.operators.ticket import happened_since, last_seq, ticket_pane
from desk.security import COOKIE, CSRF_HEADER
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from guards.lanes import Lane
from ledger.chats import Chats, recipient_of
from ledger.decisions import PacketRating
from ledger.errors import UnknownTicket
from ledger.events import Kind
from ledger.intake import IncomingMessage, Intake
from ledger.looks import Looks
from ledger.store import open_store
from ledger.tables import bodies

MAREK = Person("Marek", frozenset({Role.AGENT}), frozenset())
OONA = Person("Oona", frozenset({Role.SPECIALIST}), frozenset())
HAZEL = Person("Hazel Lead", frozenset({Role.LEAD}), frozenset())
AUD = Person("Aud", frozenset({Role.AUDITOR}), frozenset())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """A workplace over a ledger whose worker does not run: what a test files, nobody answers."""
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    settings = load_settings(tmp_path, {})
    rules = open_rules(settings, {})
    store = open_store(tmp_path / "ledger.sqlite3", clock=Clock())
    yield Workplace(settings, store, rules)
    store.close()


@pytest.fixture
def house(place: Workplace) -> House:
    """The same ledger, with one ticket in lane 2 and a draft."""
    clock = Clock()
    built = House(place.store, clock)
    built.customer_writes()
    built.ask("Hello, that is the next billing date.")
    return built


def form_of(place: Workplace, house: House, person: Person = MAREK, key: str = "k-1", **more: str) -> Asked:
    """A form as the page of this ticket sends it."""
    pane = ticket_pane(OperatorInbox(place), person, TICKET)
    review = pane.review.id if pane.review else ""
    return Asked(place, person, TICKET, {"seen": pane.token, "review": review, "key": key, **more})


def decided(house: House) -> list[tuple[str, str]]:
    """Who decided what."""
    return [(e.actor, str(e.head["decision"])) for e in house.history.timeline(TICKET) if e.kind is Kind.PERSON_DECIDED]


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(ACTS))
def test_no_act_is_done_for_somebody_without_its_right(place: Workplace, house: House, name: str) -> None:
    before = len(house.history.timeline(TICKET))
    with pytest.raises(NotAllowed, match="it takes one of"):
        do(form_of(place, house, AUD, reason="r", text="Hello.", note="n", lane="1"), name)
    assert len(house.history.timeline(TICKET)) == before


def test_an_agent_orders_no_change_and_takes_over_from_nobody(place: Workplace, house: House) -> None:
    assert {ACTS[name][0] for name in ("order", "decide-action")} == {May.ORDER_CHANGE}
    for name in ("order", "decide-action", "take-over"):
        with pytest.raises(NotAllowed):
            do(form_of(place, house, reason="r"), name)
    do(form_of(place, house, OONA), "claim")
    with pytest.raises(DecisionRefused, match="Oona has the thread"):
        do(form_of(place, house, MAREK, "k-2"), "release")
    do(form_of(place, house, HAZEL, "k-3", reason="Oona is away"), "take-over")
    assert house.history.register(TICKET).claimed_by == "Hazel Lead"


def test_a_thread_that_a_colleague_has_is_ended_and_given_free_by_nobody_else(place: Workplace, house: House) -> None:
    house.intake.receive(house_message("T-2", "It is about the same seats."))
    do(form_of(place, house, OONA), "claim")
    more = {"reason": "r", "lane": "1", "into": "T-2"}
    for name in ("resolve", "hand-back", "merge", "lane", "reject", "release"):
        with pytest.raises(DecisionRefused, match="Oona has the thread"):
            do(form_of(place, house, MAREK, f"k-{name}", **more), name)
    assert house.history.register(TICKET).claimed_by == "Oona"
    with pytest.raises(DecisionRefused, match="a lead takes it over"):  # a lead too says first that they take it
        do(form_of(place, house, HAZEL, "k-3", **more), "resolve")
    do(form_of(place, house, HAZEL, "k-4", reason="Oona is away"), "release")
    assert house.history.register(TICKET).claimed_by is None
    do(form_of(place, house, MAREK, "k-5", **more), "resolve")


def test_every_route_that_acts_wants_a_session_and_the_forms_own_word(place: Workplace, house: House) -> None:
    counter = Counter(place)
    counter.accounts.add("Marek", "", None, [Role.AGENT])
    counter.accounts.add("Aud", "", None, [Role.AUDITOR])
    acts = [f"/desk/act/{name}" for name in ACTS] + ["/desk/bulk", "/desk/halt", "/desk/resume", "/desk/foresee"]
    client = TestClient(create_app(counter), follow_redirects=False)  # not entered: nothing is opened, no worker runs
    before = len(house.history.timeline(TICKET))
    for path in acts:
        assert client.post(path, data={"ticket": TICKET}).status_code == 303, path
        for name in ("Marek", "Aud"):
            client.cookies.set(COOKIE, start_session(counter.accounts, name))
            assert client.post(path, data={"ticket": TICKET}).status_code == 403, path
            client.cookies.clear()
    session_token = start_session(counter.accounts, "Aud")
    session = counter.accounts.session(session_token)
    assert session is not None
    client.cookies.set(COOKIE, session_token)
    for name in ACTS:
        refused = client.post(
            f"/desk/act/{name}", data={"ticket": TICKET, "reason": "r"}, headers={CSRF_HEADER: session.csrf}
        )
        assert refused.status_code == 403, name
    assert len(house.history.timeline(TICKET)) == before
    assert not place.history.halts()


def test_an_approval_says_when_it_leaves_by_who_posts(place: Workplace, house: House) -> None:
    counter = Counter(place)
    assert "lanewise post" in counter.leaves, "this process has no post room"
    form = {**form_of(place, house).form, "text": "Hello, that is the next billing date."}
    said = do(Asked(place, MAREK, TICKET, form, counter.leaves), "approve")
    assert said == f"Approved as it stood. It leaves for hazel@maplefinch.example by the console, {counter.leaves}."
    with TestClient(create_app(Counter(place), lambda: ConsoleChannel(io.StringIO()))) as client:
        assert client.app.state.counter.leaves == "now"  # type: ignore[attr-defined]


def test_a_text_that_names_a_time_is_told_which_time_hours_and_capacity_stand_behind(
    place: Workplace, house: House
) -> None:
    def said(text: str) -> str:
        return what_follows(place, TICKET, text, "Marek", draft=False).words

    assert "names a time" not in said("Thank you for writing.")
    told = said("You will hear from us tomorrow.")
    assert "It names a time (“you will hear from us tomorrow”): " in told
    assert "at the latest: 8 working hours are kept; 0 wait before it, at 12 an hour" in told
    pane = ticket_pane(OperatorInbox(place), MAREK, TICKET)
    assert pane.time is not None and pane.time.at is not None and pane.time.words in told
    do(form_of(place, house, key="k-2", queue="contract_desk"), "route")
    assert "tell no time: this queue keeps none" in said("You will hear from us tomorrow.")


@pytest.mark.parametrize("rating", list(PacketRating))
def test_each_rating_of_a_packet_has_a_button_a_key_a_command_and_an_act(
    place: Workplace, house: House, rating: PacketRating
) -> None:
    counter = Counter(place)
    counter.accounts.add("Marek", "", None, [Role.AGENT])
    client = TestClient(create_app(counter, secrets={}), follow_redirects=False)
    client.cookies.set(COOKIE, start_session(counter.accounts, "Marek"))
    shown = client.get(f"/desk/ticket?ticket={TICKET}").text
    button = re.search(rf'id="([a-z-]+)"[^>]*"rating": "{rating.value}"[^>]*>[^<]*<kbd>(.)</kbd>', shown)
    assert button is not None
    name, key = button.groups()
    script = (Path(desk.__file__).parent / "static" / "desk.js").read_text(encoding="utf-8")
    assert f'"{key}": press("#{name}")' in script
    assert f"<dt><kbd>{key}</kbd></dt>" in client.get("/desk").text
    assert rating in _RATINGS.values(), "the command line has it too"
    assert "Noted" in do(form_of(place, house, rating=rating.value), "rate")
    assert decided(house) == [("Marek", "packet_rated")]


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_lists_say_why_first_and_who_has_it(place: Workplace, house: House) -> None:
    inbox = OperatorInbox(place)
    listed = inbox.queue(MAREK, Tab.WAITING, Filter())
    (row,) = listed.rows
    assert row.reason == "A draft waits" and row.fresh_draft and not row.picked
    assert listed.counts == {Tab.WAITING: 1, Tab.MINE: 0, Tab.LIVE: 0, Tab.RESOLVED: 0}
    assert inbox.queue(MAREK, Tab.WAITING, Filter(lane=3)).rows == ()
    assert inbox.queue(MAREK, Tab.WAITING, Filter(queue="frontline_support", family="seats_permissions")).rows
    do(form_of(place, house, OONA), "claim")
    seen_by_marek = inbox.queue(MAREK, Tab.WAITING, Filter())
    assert seen_by_marek.rows == () and [r.claimed_by for r in seen_by_marek.with_colleagues] == ["Oona"]
    assert len(inbox.queue(OONA, Tab.MINE, Filter()).rows) == 1
    do(form_of(place, house, OONA, "k-2"), "resolve")
    done = inbox.queue(MAREK, Tab.RESOLVED, Filter())
    assert [r.reason for r in done.rows] == ["Resolved by Oona"]
    assert done.counts[Tab.RESOLVED] == 1


def test_a_deadline_says_what_is_left_and_what_happens_then(place: Workplace, house: House) -> None:
    inbox = OperatorInbox(place)
    review = place.reviews.of_ticket(TICKET)
    assert review is not None and inbox.deadline(review) is None
    called = house.worker.open_review(
        assisted_packet(house), key="later", due_at=house.clock.moment.replace(hour=11, minute=5)
    )
    found = inbox.deadline(called)
    assert found is not None and found.words == "2 h 5 min left" and found.near == "fine"
    assert "then it goes to" in found.at_zero


def test_whoever_looked_is_told_what_others_did_since_and_not_what_they_did(place: Workplace, house: House) -> None:
    mark = last_seq(place, TICKET)
    do(form_of(place, house, OONA), "claim")
    assert happened_since(place, TICKET, mark, "Oona") == ()
    (news,) = happened_since(place, TICKET, mark, "Marek")
    assert news.words == "Oona claimed the thread" and news.loud
    house.customer_writes("m-2")
    assert "The customer has written again" in [h.words for h in happened_since(place, TICKET, mark, "Oona")]


def test_colleagues_who_have_a_ticket_open_know_of_each_other(place: Workplace, house: House) -> None:
    inbox = OperatorInbox(place)
    assert ticket_pane(inbox, MAREK, TICKET).others == ()
    assert [look.person for look in ticket_pane(inbox, OONA, TICKET).others] == ["Marek"]


def test_a_blind_review_shows_neither_lane_nor_draft_nor_packet_until_a_lane_is_named(
    place: Workplace, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    inbox = OperatorInbox(place)
    pane = ticket_pane(inbox, MAREK, TICKET)
    assert pane.blind and pane.packet is None and pane.draft is None
    (row,) = inbox.queue(MAREK, Tab.WAITING, Filter()).rows
    assert row.lane == 0 and not row.fresh_draft
    do(form_of(place, house, lane="3"), "name-lane")
    assert not ticket_pane(inbox, MAREK, TICKET).blind
    assert ticket_pane(inbox, OONA, TICKET).blind, "each reviewer is asked for themselves"


def test_nothing_tells_the_lane_of_a_blind_review_before_one_is_named(
    place: Workplace, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    inbox = OperatorInbox(place)
    do(form_of(place, house, OONA, lane="3"), "name-lane")
    do(form_of(place, house, OONA, "k-2", lane="3", reason="a lawyer"), "lane")
    (row,) = inbox.queue(MAREK, Tab.WAITING, Filter()).rows
    assert row.families == ()
    for lane in (1, 2, 3):
        assert inbox.queue(MAREK, Tab.WAITING, Filter(lane=lane)).rows == (), "a filter that finds it tells it"
    assert inbox.queue(MAREK, Tab.WAITING, Filter(family="seats_permissions")).rows == ()
    pane = ticket_pane(inbox, MAREK, TICKET)
    told = [h.words for h in happened_since(place, TICKET, 0, "Marek", blind=True)]
    told += [line.text for line in pane.lines if line.kind == "event"]
    assert {"Oona set the lane", "Oona named a lane"} <= set(told)
    assert not [words for words in told if re.search(r"[123]|draft|rose", words)]
    assert not re.search("[0-9a-f]{64}", pane.token), "that there is a draft says that the lane is not 3"
    shown = [h.words for h in happened_since(place, TICKET, 0, "Oona")]
    assert any(words.startswith("The lane rose from 1 to 2") for words in shown), "and whoever has named one is told"


def test_the_page_that_asks_for_news_of_a_blind_review_is_told_no_lane(
    place: Workplace, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(place)
    counter.accounts.add("Marek", "", None, [Role.AGENT])
    client = TestClient(create_app(counter))
    client.cookies.set(COOKIE, start_session(counter.accounts, "Marek"))
    asked = {"ticket": TICKET, "mark": "0"}
    assert "The lane rose" in client.get("/desk/changes", params=asked).text
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    told = client.get("/desk/changes", params=asked).text
    assert "The customer has written again" in told and "The lane rose" not in told


def test_a_lane_that_is_named_after_ours_was_shown_is_no_evidence(
    place: Workplace, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DecisionRefused, match="our lane was shown"):
        do(form_of(place, house, lane="2"), "name-lane")
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    late = form_of(place, house, lane="2")
    do(form_of(place, house, OONA, "k-2", reason="done"), "resolve")  # now the pane shows Marek the last packet
    with pytest.raises(DecisionRefused, match="hides no lane any more"):  # asked before, and judged where it is written
        do(late, "name-lane")
    with pytest.raises(DecisionRefused, match="our lane was shown"):
        do(Asked(place, MAREK, TICKET, late.form), "name-lane")
    assert ("Marek", "lane_named") not in decided(house)


def test_the_blind_share_is_fixed_by_the_review_and_near_what_was_asked_for() -> None:
    ids = [f"review-{n}" for n in range(4000)]
    chosen = [i for i in ids if asked_blind(i, 0.1)]
    assert chosen == [i for i in ids if asked_blind(i, 0.1)]
    assert 0.07 < len(chosen) / len(ids) < 0.13
    assert not any(asked_blind(i, 0.0) for i in ids) and all(asked_blind(i, 1.0) for i in ids)


# ── what is written back ────────────────────────────────────────────────────────────────────────────────────


def test_how_a_draft_was_read_and_changed_is_written_back_by_the_act_of_approving_it(
    place: Workplace, house: House
) -> None:
    asked = form_of(place, house, text="Hello, that is the next invoice date.\r\nMarek")
    house.clock.move(seconds=0)
    do(asked, "approve")
    (looked,) = [e for e in house.history.timeline(TICKET) if e.kind is Kind.LOOKED]
    assert looked.actor == "Marek"
    assert looked.head["words_added"] == 2 and looked.head["words_removed"] == 1
    assert looked.head["seconds"] is not None and looked.head["draft"]
    assert looked.head["owner_right"] is True and looked.head["lane_right"] is True
    assert decided(house)[-1] == ("Marek", "edited_and_approved")
    do(asked, "approve")
    assert len([e for e in house.history.timeline(TICKET) if e.kind is Kind.LOOKED]) == 1, "the same click, once"


def test_line_ends_of_a_browsers_form_are_no_change_to_the_draft(place: Workplace, house: House) -> None:
    house.worker.open_review(assisted_packet(house, "Hello,\nthat is all."), key="again")
    do(form_of(place, house, text="Hello,\r\nthat is all."), "approve")
    assert decided(house)[-1] == ("Marek", "approved")


def test_a_routed_and_relaned_review_says_that_owner_and_lane_were_not_right(place: Workplace, house: House) -> None:
    do(form_of(place, house, queue="billing_specialist"), "route")
    do(form_of(place, house, key="k-2", lane="1", reason="routine"), "lane")
    do(form_of(place, house, key="k-3", text="Mine."), "answer")
    (looked,) = [e for e in house.history.timeline(TICKET) if e.kind is Kind.LOOKED]
    assert looked.head["owner_right"] is False and looked.head["lane_right"] is False


# ── several at once ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_draft_that_was_not_opened_is_not_approved_among_others(place: Workplace, house: House) -> None:
    seen = token(house.look().seen)
    with pytest.raises(DecisionRefused, match="you have not opened this draft"):
        approve_opened(place, MAREK, TICKET, seen, "k-1")
    ticket_pane(OperatorInbox(place), OONA, TICKET)
    with pytest.raises(DecisionRefused, match="you have not opened this draft"):
        approve_opened(place, MAREK, TICKET, seen, "k-1")  # a colleague's look is not one's own
    ticket_pane(OperatorInbox(place), MAREK, TICKET)
    assert approve_opened(place, MAREK, TICKET, seen, "k-1").startswith("Approved as it stood")


def test_a_page_that_asks_for_news_does_not_count_as_having_opened_a_draft(place: Workplace, house: House) -> None:
    counter = Counter(place)
    counter.accounts.add("Marek", "", None, [Role.AGENT])
    client = TestClient(create_app(counter))
    client.cookies.set(COOKIE, start_session(counter.accounts, "Marek"))
    review = place.reviews.of_ticket(TICKET)
    assert review is not None and review.draft is not None
    asked = {"ticket": TICKET, "mark": "0", "review": review.id, "draft": review.draft.digest}
    assert client.get("/desk/changes", params=asked).status_code == 200
    with pytest.raises(DecisionRefused, match="you have not opened this draft"):
        approve_opened(place, MAREK, TICKET, token(house.look().seen), "k-1")
    assert client.get("/desk/ticket", params={"ticket": TICKET}).status_code == 200
    approve_opened(place, MAREK, TICKET, token(house.look().seen), "k-1")


def test_a_draft_that_is_another_one_since_it_was_opened_is_not_approved_among_others(
    place: Workplace, house: House
) -> None:
    ticket_pane(OperatorInbox(place), MAREK, TICKET)
    house.worker.open_review(assisted_packet(house, "Another draft."), key="again")
    with pytest.raises(DecisionRefused, match="you have not opened this draft"):
        approve_opened(place, MAREK, TICKET, token(house.look().seen), "k-1")


# ── notes and merging ───────────────────────────────────────────────────────────────────────────────────────


def test_a_note_is_shown_to_colleagues_and_stands_in_no_thread_and_is_erased_with_the_rest(
    place: Workplace, house: House
) -> None:
    do(form_of(place, house, note="zebra-crossing: ask finance"), "note")
    pane = ticket_pane(OperatorInbox(place), OONA, TICKET)
    assert [(line.kind, line.who) for line in pane.lines if "zebra" in line.text] == [("note", "Marek")]
    assert not any("zebra" in m.text for m in house.history.thread(TICKET)), "what models and replies are made from"
    house.people.erase(TICKET, house.sign("gone"))
    assert Looks(place.store).notes(TICKET)[0].erased
    with place.store.read() as conn:
        assert not [row for row in conn.execute(bodies.select()) if row.text and "zebra" in row.text]


def test_a_merged_ticket_is_resolved_and_its_words_are_shown_in_the_other(place: Workplace, house: House) -> None:
    house.intake.receive(house_message("T-2", "It is about the same seats."))
    do(form_of(place, house, into="T-2"), "merge")
    assert place.reviews.of_ticket(TICKET) is None
    inbox = OperatorInbox(place)
    assert ticket_pane(inbox, MAREK, TICKET).merged_into == ("T-2",)
    (merged,) = ticket_pane(inbox, MAREK, "T-2").merged
    assert merged.ticket == TICKET and any("Where do I add seats?" in line.text for line in merged.lines)
    assert len(house.history.thread("T-2")) == 1, "nothing was moved: each ticket keeps its own words"


def test_tickets_of_different_people_are_not_merged(place: Workplace, house: House) -> None:
    house.intake.receive(house_message("T-2", "Mine.", "someone@else.example"))
    for into, why in (("T-2", "different addresses"), (TICKET, "into itself"), ("T-404", "T-404")):
        with pytest.raises(DecisionRefused, match=why):
            do(form_of(place, house, into=into), "merge")
    assert place.reviews.of_ticket(TICKET) is not None


def house_message(ticket: str, text: str, address: str = "hazel@maplefinch.example") -> IncomingMessage:
    """A customer's mail."""

    return IncomingMessage(
        ticket=ticket,
        key="m-1",
        channel="mail",
        subject="Seats",
        requester_email=address,
        requester_name="Hazel",
        verified=True,
        account_id=None,
        recipient=address,
        text=text,
    )


# ── what is said before ─────────────────────────────────────────────────────────────────────────────────────


def test_what_will_follow_is_said_by_the_judge_that_will_run(place: Workplace, house: House) -> None:
    pane = ticket_pane(OperatorInbox(place), MAREK, TICKET)
    assert pane.follows.leaves and "leaves for hazel@maplefinch.example" in pane.follows.words
    house.people.claim(TICKET, house.sign("c-1", by="Oona"))
    pane = ticket_pane(OperatorInbox(place), MAREK, TICKET)
    assert not pane.follows.leaves and "Oona has the thread" in pane.follows.words


def test_the_review_of_another_ticket_is_not_decided_from_here(place: Workplace, house: House) -> None:
    house.intake.receive(house_message("T-9", "Hello.", "eve@elsewhere.example"))
    form = dict(form_of(place, house, text="Hello, that is the next billing date.", reason="r").form)
    for name in ("approve", "reject", "route", "name-lane"):
        with pytest.raises(DecisionRefused, match="belongs to another ticket"):
            do(Asked(place, MAREK, "T-9", {**form, "queue": "billing_specialist", "lane": "2"}), name)
    assert decided(house) == [] and not house.history.deliveries(TICKET)
    assert [e.kind for e in house.history.timeline("T-9")] == [Kind.CUSTOMER_WROTE]


def test_an_unknown_ticket_and_an_unknown_act_are_refused_in_words(place: Workplace, house: House) -> None:
    with pytest.raises(DecisionRefused, match="there is no act"):
        do(form_of(place, house), "delete-everything")
    with pytest.raises((DecisionRefused, UnknownTicket)):
        ticket_pane(OperatorInbox(place), MAREK, "T-404")
    with pytest.raises(DecisionRefused, match="choose lane 1, 2 or 3"):
        do(form_of(place, house, lane="4", reason="r"), "lane")
    with pytest.raises(DecisionRefused, match="a reason is needed"):
        do(form_of(place, house), "reject")
    assert house.lane() is Lane.ASSISTED


def test_the_pages_escape_what_strangers_write(place: Workplace, house: House) -> None:
    counter = Counter(place)
    counter.accounts.add("Marek", "", None, [Role.AGENT])
    house.customer_writes("m-2", subject="<script>alert(1)</script>\u202e'\"")
    client = TestClient(create_app(counter))
    client.cookies.set(COOKIE, start_session(counter.accounts, "Marek"))
    text = client.get("/desk", params={"ticket": TICKET}).text
    assert "<script>alert" not in text and "\u202e" not in text
    assert not re.search(r" on[a-z]+=|<style| style=|javascript:", text), "nothing inline"


# ── the chat at the desk ────────────────────────────────────────────────────────────────────────────────────


def test_a_customer_of_the_chat_is_answered_there_and_the_address_they_left_is_shown(place: Workplace) -> None:
    chats = Chats(place.store)
    conversation = "chat-1"
    assert chats.start(conversation, "a-secret", None, "127.0.0.1", 5)
    message = IncomingMessage(
        ticket=conversation,
        key="m-1",
        channel="chat",
        subject="",
        requester_email="",
        requester_name="",
        verified=False,
        account_id=None,
        recipient=recipient_of(conversation),
        text="Can a person call me?",
        asks_person=True,
    )
    Intake(place.store).receive(message)
    chats.leave_contact(conversation, "ines@fernhollow.example")
    pane = ticket_pane(OperatorInbox(place), MAREK, conversation)
    assert pane.contact == "ines@fernhollow.example"
    assert pane.row is not None and int(pane.register.lane) == 3
    said = what_follows(place, conversation, "I call you at four.", "Marek", draft=False).words
    assert (
        "leaves for the customer in the chat (no mail is set up: if they have left, it waits there for them), once"
        in said
    )
