"""A person's answer follows a customer who has left the chat, by mail, to the address that the person saw and to no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from desk_house import Clock
from sqlalchemy import select
from starlette.testclient import TestClient

from agent.release_in_force import release_view
from desk import decisions
from desk.app import create_app
from desk.channels.console import ConsoleChannel
from desk.channels.eml import EmlChannel
from desk.channels.message_ids import open_message_ids
from desk.counter import Counter
from desk.decisions import Look
from desk.errors import Rejected
from desk.mailbox.arriving import arrived
from desk.mailbox.senders import Sender
from desk.mailbox.threads import Threads
from desk.operators.foreseeing import what_follows
from desk.posting import sweep
from desk.settings import load_settings
from desk.ways_out import whom
from desk.workplace import Workplace, open_workplace
from guards.gate import Letter, Permit, Piece, Refusal
from ledger.chats import HERE_FOR, Chats, Line, Somebody, recipient_of
from ledger.decisions import Seen, Signature
from ledger.events import Kind
from ledger.intake import IncomingMessage, Intake
from ledger.letters import Delivery
from ledger.outbox import PostLedger
from ledger.reaching import AWAY_FOR, Presence, presence
from ledger.result import read_result
from ledger.tables import chats as chats_table
from ledger.words import digest_of
from ledger.worker import WorkerLedger

LEFT = "ines@fernhollow.example"
ANSWER = "Your seats are refunded by Friday. Marek"
HAZEL = Somebody("A-1001", "hazel@maplefinch.example", "Hazel Lindqvist")


@dataclass
class ChatScene:
    """One conversation, of which only the record and the post room are there."""

    place: Workplace
    clock: Clock
    folder: Path
    id: str = "chat-" + "a" * 32
    said: int = 0

    def __post_init__(self) -> None:
        self.chats = Chats(self.place.store)

    def begin(self, somebody: Somebody | None = None) -> None:
        """A customer writes, and their page is open."""
        assert self.chats.start(self.id, "a secret", somebody, "10.0.0.1", 100)
        self.writes("Please refund the seats.", somebody)
        self.chats.here(self.id)

    def writes(self, text: str, somebody: Somebody | None = None, channel: str = "chat") -> None:
        """The customer's next message."""
        self.said += 1
        Intake(self.place.store).receive(
            IncomingMessage(
                ticket=self.id,
                key=f"m-{self.said}",
                channel=channel,
                subject="",
                requester_email=somebody.email if somebody else "",
                requester_name="",
                verified=somebody is not None,
                account_id=somebody.account_id if somebody else None,
                recipient=recipient_of(self.id),
                text=text,
            )
        )

    def leaves(self) -> None:
        """Their page is closed, and stays so."""
        self.chats.left(self.id)
        self.clock.move(seconds=AWAY_FOR.total_seconds())

    def look(self) -> Look:
        """What a person is shown."""
        return decisions.look(self.place.history, self.place.reviews, self.id)

    def answered(self, text: str = ANSWER, seen: Seen | None = None, key: str = "d-1") -> None:
        """A person sends their own words."""
        sign = Signature("Marek", "because the test says so", key)
        shown = seen or self.look().seen
        decisions.answer_myself(self.place.people, self.place.release_in_force, self.id, text, shown, sign)

    def posts(self) -> list[Delivery]:
        """The post room looks, with mail files as its way out."""
        return self.place.post_room(EmlChannel(self.folder, "support@lanewise.example")).deliver_waiting()

    @property
    def mails(self) -> list[str]:
        """The mail files that are there."""
        return [file.read_text() for file in sorted(self.folder.glob("*.eml"))] if self.folder.is_dir() else []

    @property
    def lines(self) -> list[Line]:
        """What the customer reads of us in the chat."""
        return [line for line in self.chats.shown(self.id).lines if line.role != "customer"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[ChatScene]:
    """A conversation in a workspace whose letters leave as mail files."""
    (tmp_path / "lanewise.toml").write_text('[channel]\nkind = "eml"\n')
    clock = Clock()
    place = open_workplace(load_settings(tmp_path, {}), {}, clock)
    yield ChatScene(place, clock, tmp_path / "letters")
    place.store.close()


def test_an_answer_to_a_customer_who_has_left_the_chat_goes_by_mail_and_once(scene: ChatScene) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    scene.answered()
    assert [d.state.value for d in scene.posts()] == ["sent"]
    assert scene.posts() == []
    (mail,) = scene.mails
    assert f"To: {LEFT}\n" in mail and ANSWER in mail and "Auto-Submitted" not in mail
    assert [(line.role, line.text, line.mailed) for line in scene.lines] == [("agent", "", True)]
    (delivery,) = scene.place.history.deliveries(scene.id)
    assert scene.place.history.mailed_to(delivery) == LEFT
    assert delivery.letter.recipient == recipient_of(scene.id), "the letter stays bound to the ticket's own address"


def test_an_answer_to_a_customer_whose_page_is_open_goes_to_the_chat_and_nowhere_else(scene: ChatScene) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.answered()
    assert [d.state.value for d in scene.posts()] == ["sent"]
    assert (scene.mails, [line.text for line in scene.lines]) == ([], [ANSWER])
    scene.leaves()
    assert scene.posts() == [] and scene.mails == []


def test_an_open_page_says_that_it_is_there_and_a_closed_one_that_it_is_not(scene: ChatScene) -> None:
    counter = Counter(scene.place)
    client = TestClient(create_app(counter))  # not entered: neither worker nor post room runs
    scene.begin()

    def until() -> datetime | None:
        with scene.place.store.read() as conn:
            return conn.execute(select(chats_table.c.here_until)).scalar_one()

    scene.clock.move(hours=1)
    counter.watch.stop()  # a stream ends with the counter
    headers = {"Authorization": "Bearer a secret"}
    assert client.get(f"/chat/conversations/{scene.id}", headers=headers).status_code == 200
    assert until() == scene.clock() + HERE_FOR
    scene.clock.move(hours=1)
    assert client.get(f"/chat/conversations/{scene.id}/events", headers=headers).status_code == 200
    deadline = time.monotonic() + 60
    while until() != scene.clock():
        assert time.monotonic() < deadline, "nobody kept that the page was closed"
        time.sleep(0.02)


@pytest.mark.parametrize("back", [True, False])
def test_who_closed_the_page_a_moment_ago_is_waited_for(scene: ChatScene, back: bool) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.answered()
    scene.chats.left(scene.id)
    assert scene.posts() == [] and scene.lines == []
    if back:
        scene.chats.here(scene.id)
    else:
        scene.clock.move(seconds=AWAY_FOR.total_seconds())
    assert [d.state.value for d in scene.posts()] == ["sent"]
    assert (len(scene.mails), [line.mailed for line in scene.lines]) == ((0, [False]) if back else (1, [True]))


def test_one_sweep_says_that_a_letter_waits_for_who_may_come_back(scene: ChatScene) -> None:
    channel, told = EmlChannel(scene.folder, "support@lanewise.example"), list[str]()
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    sweep(scene.place, channel, told.append)  # the message is worked on, and its notice leaves to the chat
    assert told[-1].endswith("to the chat: it left")
    scene.answered()
    scene.chats.left(scene.id)
    sweep(scene.place, channel, told.append)
    assert told[-1] == "Waiting a minute or two, since the customer has just left the chat: 1 letter."
    scene.clock.move(seconds=AWAY_FOR.total_seconds())
    sweep(scene.place, channel, told.append)
    assert told[-1] == f"sent     approved for ticket {scene.id}, to {LEFT} (they had left the chat): it left"


def test_a_process_that_was_killed_keeps_nobody_in_the_chat(scene: ChatScene) -> None:
    scene.begin()
    scene.clock.move(seconds=HERE_FOR.total_seconds() + AWAY_FOR.total_seconds())
    with scene.place.store.read() as conn:
        assert presence(conn, scene.id, scene.clock()) is Presence.GONE


def test_in_a_conversation_that_is_closed_nobody_is_waited_for(scene: ChatScene) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    Intake(scene.place.store).close(scene.id, "close-1")
    scene.chats.left(scene.id)
    scene.answered()
    assert [d.state.value for d in scene.posts()] == ["sent"]
    assert len(scene.mails) == 1


def test_an_address_that_was_changed_after_the_approval_is_not_written_to_and_neither_is_the_old_one(
    scene: ChatScene,
) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    scene.answered()
    scene.chats.leave_contact(scene.id, "other@fernhollow.example")
    assert [d.state.value for d in scene.posts()] == ["sent"]
    assert (scene.mails, [line.text for line in scene.lines]) == ([], [ANSWER])


def test_an_address_that_its_approver_had_not_seen_is_not_written_to(scene: ChatScene) -> None:
    scene.begin()
    before = scene.look().seen
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    assert scene.look().seen != before
    scene.answered(seen=before)
    assert [d.state.value for d in scene.posts()] == ["sent"]
    assert (scene.mails, [line.text for line in scene.lines]) == ([], [ANSWER])


def test_an_address_that_was_corrected_twice_is_the_last_one_that_was_left(scene: ChatScene) -> None:
    scene.begin()
    for address in (LEFT, "other@fernhollow.example", LEFT, LEFT):
        scene.chats.leave_contact(scene.id, address)
    assert scene.look().besides.address == LEFT
    given = [e for e in scene.place.history.timeline(scene.id) if e.kind is Kind.CONTACT_GIVEN]
    assert len(given) == 3


def test_where_no_mail_is_set_up_the_answer_waits_in_the_chat_and_the_desk_says_so(
    scene: ChatScene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    (tmp_path / "lanewise.toml").write_text("")
    console = load_settings(tmp_path, {})
    assert "no mail is set up: if they have left, it waits there" in whom(
        console, recipient_of(scene.id), scene.look().besides
    )
    scene.answered()
    assert [d.state.value for d in scene.place.post_room(ConsoleChannel(sys.stdout)).deliver_waiting()] == ["sent"]
    assert [line.text for line in scene.lines] == [ANSWER]
    assert ANSWER not in capsys.readouterr().out


def test_nothing_of_the_assistants_is_ever_written_to_the_address(scene: ChatScene) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    assert isinstance(noticed(scene), Permit)
    scene.leaves()
    assert [(d.letter.piece, d.state.value) for d in scene.posts()] == [(Piece.NOTICE, "sent")]
    assert scene.mails == [] and [line.mailed for line in scene.lines] == [False]


def test_what_a_host_page_vouched_for_goes_before_what_was_typed(scene: ChatScene) -> None:
    scene.begin(HAZEL)
    scene.chats.leave_contact(scene.id, LEFT)
    assert (scene.look().besides.address, scene.look().besides.vouched) == (HAZEL.email, True)
    with scene.place.store.write() as conn:
        conn.execute(chats_table.update().values(email="thief@evil.example"))
    scene.leaves()
    scene.answered()
    scene.posts()
    assert f"To: {HAZEL.email}\n" in scene.mails[0], "the sealed message counts, and no row that could be changed"


def test_an_address_where_a_letter_did_not_arrive_is_left_alone_until_another_is_left(scene: ChatScene) -> None:
    class Refuses:
        name = "smtp"

        def deliver(self, reply_key: str, **_: object) -> str:
            raise Rejected("the server refused the recipient: 550")

    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    scene.answered()
    assert [d.state.value for d in scene.place.post_room(Refuses()).deliver_waiting()] == ["failed"]
    assert scene.look().besides.address == "" and scene.lines == []
    scene.answered("It is done.", key="d-2")
    scene.posts()
    assert (scene.mails, [line.text for line in scene.lines]) == ([], ["It is done."])
    scene.chats.leave_contact(scene.id, "right@fernhollow.example")
    assert scene.look().besides.address == "right@fernhollow.example"


def test_the_desk_says_who_is_reached_and_what_nobody_has_checked(scene: ChatScene) -> None:
    scene.begin()

    def said() -> str:
        return what_follows(scene.place, scene.id, ANSWER, "Marek", draft=False).words

    assert "leaves for the customer in the chat (no address to write to" in said()
    scene.chats.leave_contact(scene.id, LEFT)
    assert f"or by mail file to {LEFT} if they have left it (typed there; nobody has checked whose it is)" in said()
    assert "chat:" not in said()
    token = decisions.token(scene.look().seen)
    assert decisions.read_token(token) == scene.look().seen and scene.look().besides.mark in token
    assert LEFT not in token


@pytest.mark.parametrize(("sender", "elsewhere"), [(LEFT, False), ("mallory@collector.example", True)])
def test_who_answers_such_a_mail_goes_on_in_the_same_ticket(scene: ChatScene, sender: str, elsewhere: bool) -> None:
    ids = open_message_ids(scene.folder / "mail.key")
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    scene.answered()
    scene.place.post_room(EmlChannel(scene.folder, "support@lanewise.example", ids=ids)).deliver_waiting()
    (delivery,) = scene.place.history.deliveries(scene.id)
    answer = EmailMessage()
    answer["From"], answer["In-Reply-To"], answer["Message-ID"] = (
        sender,
        delivery.provider_ref,
        "<a@fernhollow.example>",
    )
    answer.set_content("Thank you. And next month?")
    threads = Threads(scene.place.history, PostLedger(scene.place.store), ids)
    belongs = threads.of(arrived(answer.as_bytes()), Sender(sender, False, None, ""))
    assert (belongs.ticket, belongs.from_elsewhere) == (scene.id, elsewhere)
    (reply,) = read_result(scene.place.history, scene.place.reviews, scene.id).to_json()["replies"]
    assert reply["to"] == LEFT


def test_the_assistant_does_not_answer_mail_into_a_chat_where_nobody_would_read_it(scene: ChatScene) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.writes("And what about next month?", channel="email")
    refused = noticed(scene)
    assert isinstance(refused, Refusal) and refused.rule == "left_the_chat"
    assert scene.place.history.deliveries(scene.id) == ()


def test_erasing_the_ticket_takes_the_address_from_the_approval_too(scene: ChatScene) -> None:
    scene.begin()
    scene.chats.leave_contact(scene.id, LEFT)
    scene.leaves()
    scene.answered()
    scene.posts()
    decisions.erase(scene.place.people, scene.id, Signature("Hazel", "asked for", "e-1"))
    scene.place.store.forget_erased()
    file = scene.place.settings.ledger_file
    assert file is not None
    assert LEFT.encode() not in b"".join(part.read_bytes() for part in file.parent.glob("ledger.sqlite3*"))
    (delivery,) = scene.place.history.deliveries(scene.id)
    assert scene.place.history.mailed_to(delivery) == ""


def noticed(scene: ChatScene) -> Permit | Refusal:
    """The assistant asks for an approved notice to leave."""
    worker, words = WorkerLedger(scene.place.store), scene.place.release.notice[-1].text
    view = release_view(scene.place.release_in_force)
    recipient, _ = worker.address(scene.id)
    revision = worker.register(scene.id).revision
    worker.record(scene.id, Kind.LANE_ASSIGNED, "lane", {"families": ["billing"]})
    opened = worker.open_answer(scene.id, revision, 2)
    letter = Letter(scene.id, Piece.NOTICE, digest_of(words), recipient, opened.epoch, revision, view.version)
    return worker.propose(letter, words, reply_key="r-1", view=view)
