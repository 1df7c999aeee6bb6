"""A deadline that nobody kept is told to the people of the queue that the review goes to: desk, webhook and mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from desk_house import TICKET, Clock, House

from desk.accounts.people import Person, Role
from desk.errors import Rejected
from desk.operators.inbox import Filter, OperatorInbox, Tab
from desk.operators.ticket import ticket_pane
from desk.queue_mail import TRIED_FOR, tell_queues
from desk.records import Records
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from desk.workspace import init
from ledger.events import Kind
from ledger.interface import Interface
from ledger.packets.packet import Owner
from ledger.queue_news import QueueNews
from ledger.store import open_store

HAZEL = Person("Hazel", frozenset({Role.LEAD}), frozenset())
ADDRESS = "leads@maplefinch.example"


@dataclass
class Post:
    """A channel of mail that keeps what it is given, once a key."""

    name: str = "smtp"
    letters: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    calls: int = 0
    before: Callable[[], object] = lambda: None

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        self.calls += 1
        self.before()
        assert headers["Auto-Submitted"] == "auto-generated"
        self.letters[reply_key] = (recipient, subject, body)
        return reply_key


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A workspace of one's own, whose queue for missed deadlines has an address, and a ticket that waits."""
    init(tmp_path / "ours")
    queues = tmp_path / "ours" / "company" / "queues.toml"
    text = queues.read_text(encoding="utf-8")
    queues.write_text(text.replace('id = "support_lead"\n', f'id = "support_lead"\naddress = "{ADDRESS}"\n'), "utf-8")
    clock = Clock()
    store = open_store(tmp_path / "ledger.sqlite3", clock=clock)
    built = House(store, clock)
    built.customer_writes()
    yield built
    store.close()


@pytest.fixture
def records(tmp_path: Path, house: House) -> Records:
    return Records(load_settings(tmp_path / "ours", {}), house.store)


def missed(house: House, *, moved: bool = True) -> str:
    """Nobody decides in time; ``moved`` once the machine has given the review on."""
    review = house.ask()
    packet = review.packet
    assert packet is not None
    due = house.clock()
    held = house.worker.revise_review(review.id, packet, key="due", due_at=due)
    assert house.intake.tick() == (TICKET,)
    if moved:
        house.clock.move(minutes=1)
        on = replace(packet, owner=Owner("support_lead", (), "nobody decided"))
        house.worker.revise_review(held.id, on, key="moved", due_at=house.clock.moment.replace(hour=20))
    return review.id


def told(house: House) -> list[tuple[str, str]]:
    return [
        (str(e.head["queue"]), str(e.head["state"]))
        for e in house.history.timeline(TICKET)
        if e.kind is Kind.QUEUE_TOLD
    ]


def test_the_queue_that_a_late_review_goes_to_is_written_to_once_without_a_word_of_the_customers(
    house: House, records: Records
) -> None:
    missed(house)
    post = Post()
    assert [tell_queues(records, post) for _ in range(3)] == [1, 0, 0]
    ((recipient, subject, body),) = post.letters.values()
    assert recipient == ADDRESS and TICKET in subject
    assert "2026-03-10 09:00 UTC" in body and "2026-03-10 20:01 UTC" in body
    assert "seats" not in body.lower() and "hazel@" not in body
    assert told(house) == [("support_lead", "sent")]


def test_a_queues_address_that_is_the_customers_own_is_never_written_to(house: House, records: Records) -> None:
    customer = house.history.ticket(TICKET).recipient
    assert customer and records.settings.company is not None
    queues = records.settings.company / "queues.toml"
    queues.write_text(queues.read_text(encoding="utf-8").replace(ADDRESS, customer.upper()), encoding="utf-8")
    missed(house)
    post = Post()
    assert [tell_queues(records, post) for _ in range(2)] == [0, 0]
    assert post.calls == 0
    assert told(house) == [("support_lead", "failed")]


def test_nobody_is_told_before_the_review_has_moved_nor_after_it_is_decided(house: House, records: Records) -> None:
    missed(house, moved=False)
    assert tell_queues(records, Post()) == 0
    house.people.resolve(TICKET, house.look().seen, house.sign())
    assert QueueNews(house.store).waiting() == ()


def test_each_further_deadline_is_told_again(house: House, records: Records) -> None:
    missed(house)
    post = Post()
    tell_queues(records, post)
    house.clock.move(days=1)
    assert house.intake.tick() == (TICKET,)
    review = house.look().review
    assert review is not None and review.packet is not None
    house.worker.revise_review(review.id, review.packet, key="again", due_at=house.clock.moment.replace(hour=23))
    assert tell_queues(records, post) == 1 and len(post.letters) == 2


def test_a_queue_without_an_address_is_told_by_the_desk_and_by_webhooks(house: House, records: Records) -> None:
    interface = Interface(house.store)
    key, _ = interface.add_key("helpdesk", ["webhooks:write"])
    hook = interface.add_webhook("https://helpdesk.example/x", key.id)
    missed(house)
    console = Post("console")
    assert (tell_queues(records, console), console.calls) == (0, 0), "a console reaches nobody's mailbox"
    assert Kind.DEADLINE_PASSED in {n.kind for n in interface.news(hook)}
    place = Workplace(records.settings, house.store, open_rules(records.settings, {}))
    pane = OperatorInbox(place).queue(HAZEL, Tab.WAITING, Filter(queue="support_lead"))
    assert [(r.ticket, r.rerouted) for r in pane.rows] == [(TICKET, True)] and pane.rerouted == 1


def test_what_certainly_did_not_leave_is_tried_for_an_hour_and_what_may_have_left_never_again(
    house: House, records: Records
) -> None:
    missed(house)

    def refuses() -> None:
        raise Rejected("the server cannot be reached")

    post = Post(before=refuses)
    assert [tell_queues(records, post), tell_queues(records, post)] == [0, 0]
    assert (post.calls, told(house)) == (2, [])
    house.clock.move(seconds=TRIED_FOR.total_seconds())
    tell_queues(records, post)
    assert told(house) == [("support_lead", "failed")]
    tell_queues(records, post)
    assert post.calls == 3


def test_a_mail_in_doubt_is_not_repeated_and_the_ticket_says_so(house: House, records: Records) -> None:
    missed(house)

    def breaks() -> None:
        raise TimeoutError("it was begun")

    post = Post(before=breaks)
    assert [tell_queues(records, post), tell_queues(records, post)] == [0, 0]
    assert (post.calls, told(house)) == (1, [("support_lead", "unknown")])
    place = Workplace(records.settings, house.store, open_rules(records.settings, {}))
    pane = ticket_pane(OperatorInbox(place), HAZEL, TICKET)
    assert "No mail told support lead of it (unknown)" in str(pane)
