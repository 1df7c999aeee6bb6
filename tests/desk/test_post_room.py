"""The post room: a text leaves once, as it was approved, if it still may at that moment; and what became of it."""

from __future__ import annotations

import ast
import io
import multiprocessing
import os
import signal
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from desk_house import CUSTOMER, NOTICE, TICKET, VIEW, WORDS, Clock, House, Recorder, states
from sqlalchemy import text

from agent.release_in_force import release_view
from desk.channels.console import ConsoleChannel
from desk.channels.credential import ENV_NAME
from desk.channels.eml import EmlChannel, words_of
from desk.errors import Rejected
from desk.post import PLAIN_SUBJECT, PostRoom, channel_for, subject_for
from desk.settings import load_settings
from guards.errors import PolicyError
from guards.gate import Piece
from guards.lanes import Lane
from guards.policy import Phase, Release, parse_release
from ledger.decisions import Seen
from ledger.errors import StoreBusy
from ledger.events import Kind
from ledger.history import History
from ledger.letters import DeliveryState
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger
from ledger.store import open_store

POLICIES = Path(__file__).parents[2] / "guards" / "policies"


# ── what leaves ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_waiting_answer_is_delivered_once_with_its_own_words_to_the_tickets_own_address(house: House) -> None:
    house.propose()
    assert states(house.room().deliver_waiting()) == [("r-1", "sent")]
    assert house.room().deliver_waiting() == []
    assert house.channel.letters == [
        {"key": "r-1", "to": CUSTOMER, "subject": "Re: Seats", "body": WORDS, "Auto-Submitted": "auto-replied"}
    ]
    assert house.post.delivery("r-1").provider_ref == "ref-1"


def test_the_intent_stands_in_the_ledger_before_the_channel_is_asked(house: House) -> None:
    house.propose()
    seen: list[str] = []
    house.channel.before = lambda: seen.append(house.state())
    house.room().deliver_waiting()
    assert seen == ["sending"]
    kinds = [e.kind for e in house.history.timeline(TICKET)]
    assert kinds.index(Kind.DELIVERY_STARTED) < kinds.index(Kind.DELIVERED)


def test_letters_leave_in_the_order_they_were_proposed(house: House) -> None:
    house.propose("r-1", "first")
    house.propose("r-2", "second")
    house.room().deliver_waiting()
    assert [letter["body"] for letter in house.channel.letters] == ["first", "second"]


def test_a_text_that_a_person_approved_does_not_call_itself_automatic(house: House) -> None:
    register = house.worker.open_answer(TICKET, house.worker.register(TICKET).revision, 3)
    done = house.people.answer_myself(TICKET, "We do that.", Seen.of(register), house.sign(), house.view)
    assert done.reply_key is not None
    assert states(house.room().deliver_waiting()) == [(done.reply_key, "sent")]
    assert house.channel.letters == [
        {"key": done.reply_key, "to": CUSTOMER, "subject": "Re: Seats", "body": "We do that."}
    ]


def test_a_subject_that_nobody_verified_is_not_repeated(house: House) -> None:
    ticket = house.history.ticket(TICKET)
    assert subject_for(ticket) == "Re: Seats"
    assert subject_for(replace(ticket, subject="RE: Seats")) == "RE: Seats"
    assert subject_for(replace(ticket, subject=" ")) == PLAIN_SUBJECT
    assert subject_for(replace(ticket, subject="Win a prize", verified=False)) == PLAIN_SUBJECT


# ── what became of it ───────────────────────────────────────────────────────────────────────────────────────


def test_a_rejected_letter_has_failed_and_a_person_is_called(house: House) -> None:
    house.propose()

    def no() -> None:
        raise Rejected("the mailbox is full")

    house.channel.before = no
    assert states(house.room().deliver_waiting()) == [("r-1", "failed")]
    review = house.reviews.of_ticket(TICKET)
    assert review is not None
    assert review.why == "delivery_failed"
    assert house.room().deliver_waiting() == []


@pytest.mark.parametrize("arrived", [True, False])
def test_any_other_error_means_unknown_and_no_machine_tries_again(house: House, arrived: bool) -> None:
    house.propose()

    def broken() -> None:
        raise TimeoutError(f"no answer while sending to {CUSTOMER}")

    if arrived:
        house.channel.after = broken
    else:
        house.channel.before = broken
    assert states(house.room().deliver_waiting()) == [("r-1", "unknown")]
    house.channel.before = house.channel.after = lambda: None
    assert house.room().deliver_waiting() == []
    assert states(house.room().recover()) == [("r-1", "unknown")]
    assert len(house.channel.letters) == arrived
    review = house.reviews.of_ticket(TICKET)
    assert review is not None
    assert review.why == "delivery_unknown"


def test_a_providers_error_text_is_not_kept_where_it_cannot_be_erased(house: House) -> None:
    house.propose()

    def broken() -> None:
        raise OSError(f"550 {CUSTOMER} does not like us")

    house.channel.before = broken
    house.room().deliver_waiting()
    heads = [str(e.head) for e in house.history.timeline(TICKET) if e.kind is Kind.DELIVERY_UNKNOWN]
    assert len(heads) == 1
    assert "OSError" in heads[0]
    assert CUSTOMER not in heads[0]


def test_one_letters_trouble_does_not_keep_the_others(house: House) -> None:
    for n in range(3):
        house.propose(f"r-{n}", f"words {n}")
    tries = iter([None, Rejected("no"), None])

    def sometimes() -> None:
        if (error := next(tries)) is not None:
            raise error

    house.channel.before = sometimes
    assert states(house.room().deliver_waiting()) == [("r-0", "sent"), ("r-1", "failed"), ("r-2", "sent")]


# ── crashes ─────────────────────────────────────────────────────────────────────────────────────────────────


class PowerCut(BaseException):
    """Not an Exception: nothing in the house may catch it."""


@pytest.mark.parametrize("arrived", [True, False])
def test_a_crash_between_begin_and_record_becomes_unknown_and_is_not_sent_again(house: House, arrived: bool) -> None:
    house.propose()

    def crash() -> None:
        raise PowerCut

    if arrived:
        house.channel.after = crash
    else:
        house.channel.before = crash
    with pytest.raises(PowerCut):
        house.room().deliver_waiting()
    assert house.state() == "sending"
    house.channel.before = house.channel.after = lambda: None

    again = house.room()
    assert again.deliver_waiting() == [], "a letter in somebody's hands is nobody else's"
    assert states(again.recover()) == [("r-1", "unknown")]
    assert again.deliver_waiting() == []
    assert len(house.channel.letters) == arrived
    thread = house.history.thread(TICKET)
    assert not thread[-1].certain, "whoever reads the thread sees that nobody knows"


def test_a_crash_before_begin_leaves_the_letter_waiting(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.propose()

    def crash(*_: object) -> None:
        raise PowerCut

    monkeypatch.setattr(PostLedger, "begin", crash)
    with pytest.raises(PowerCut):
        house.room().deliver_waiting()
    monkeypatch.undo()
    assert house.room().recover() == []
    assert states(house.room().deliver_waiting()) == [("r-1", "sent")]


def test_an_outcome_that_the_busy_ledger_did_not_take_is_recorded_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.propose()
    room = house.room()

    real, locked = PostLedger.sent, [True]

    def busy(self: PostLedger, reply_key: str, provider_ref: str = "") -> None:
        if locked[0]:
            raise StoreBusy("locked")
        real(self, reply_key, provider_ref)

    monkeypatch.setattr(PostLedger, "sent", busy)
    assert states(room.deliver_waiting()) == [("r-1", "sending")]
    assert states(room.deliver_waiting()) == []
    locked[0] = False
    room.deliver_waiting()
    assert house.state() == "sent"
    assert len(house.channel.letters) == 1


def _deliver_and_die(ledger_file: str, folder: str, moment: str) -> None:
    store = open_store(ledger_file, clock=Clock())
    channel = EmlChannel(Path(folder), "support@quillstone.example")

    class Deadly:
        name = "deadly"

        def deliver(self, reply_key: str, **letter: object) -> str:
            if moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            ref = channel.deliver(reply_key, **letter)  # type: ignore[arg-type]
            os.kill(os.getpid(), signal.SIGKILL)
            return ref

    PostRoom(PostLedger(store), History(store), Deadly(), lambda: VIEW).deliver_waiting()


@pytest.mark.parametrize(("moment", "files"), [("before", 0), ("after", 1)])
def test_kill_9_on_either_side_of_the_delivery_never_makes_a_second_one(
    house: House, ledger_file: Path, tmp_path: Path, moment: str, files: int
) -> None:
    house.propose()
    out = tmp_path / "out"
    process = multiprocessing.get_context("spawn").Process(
        target=_deliver_and_die, args=(str(ledger_file), str(out), moment)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    room = PostRoom(house.post, house.history, EmlChannel(out, "support@quillstone.example"), lambda: VIEW)
    assert states(room.recover()) == [("r-1", "unknown")]
    assert room.deliver_waiting() == []
    assert len(list(out.glob("*.eml"))) == files


# ── rights that die before the letter leaves ────────────────────────────────────────────────────────────────


def refused(house: House) -> str:
    """Runs the post room, and returns the rule by which the only letter was refused; nothing may have left."""
    assert states(house.room().deliver_waiting()) == [("r-1", "refused")]
    assert house.channel.letters == []
    return house.history.refusals(TICKET)[-1].rule


def test_a_halt_between_intent_and_delivery_stops_the_letter(house: House) -> None:
    house.propose()
    house.people.halt(None, house.sign("halt-1"))
    assert refused(house) == "halted"
    house.people.resume(None, house.sign("resume-1"))
    assert house.room().deliver_waiting() == [], "what was refused does not come back to life"


def test_a_halt_of_one_family_stops_its_letters(house: House) -> None:
    house.propose()
    house.people.halt("seats_permissions", house.sign("halt-1"))
    assert refused(house) == "halted"


def test_a_halt_while_the_first_letter_is_on_its_way_stops_the_second(house: House) -> None:
    house.propose("r-1", "first")
    house.propose("r-2", "second")
    house.channel.before = lambda: house.people.halt(None, house.sign("halt-1"))
    assert states(house.room().deliver_waiting()) == [("r-1", "sent"), ("r-2", "refused")]


def test_changed_bytes_do_not_leave(house: House) -> None:
    house.propose()
    body = house.post.delivery("r-1").body.id
    with house.store.write() as conn:
        # Whoever can write to the file can do this; the database's own rule against it is taken away first.
        for name in conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            conn.execute(text(f'DROP TRIGGER "{name}"'))
        forged = {"forged": WORDS + "A refund is on its way.", "id": body}
        conn.execute(text("UPDATE bodies SET text = :forged WHERE id = :id"), forged)
    assert refused(house) == "digest"


def test_a_letter_that_the_customer_has_overtaken_does_not_leave(house: House) -> None:
    house.propose()
    house.customer_writes("m-2")
    assert refused(house) == "revision"


def test_a_letter_of_an_older_epoch_does_not_leave(house: House) -> None:
    house.propose()
    house.worker.raise_floor(TICKET, Lane.HUMAN_OWNED)
    assert refused(house) == "lane"


def test_a_letter_of_an_older_policy_release_does_not_leave(house: House) -> None:
    house.propose()
    house.view = replace(VIEW, version="2026-04-01")
    assert refused(house) == "release"


def test_a_policy_change_while_the_first_letter_is_on_its_way_stops_the_second(house: House) -> None:
    house.propose("r-1", "first")
    house.propose("r-2", "second")

    def narrow() -> None:
        house.view = replace(VIEW, open_families=frozenset())

    house.channel.before = narrow
    assert states(house.room().deliver_waiting()) == [("r-1", "sent"), ("r-2", "refused")]


def test_in_observe_only_nothing_of_the_assistants_leaves(house: House) -> None:
    house.propose()
    house.view = replace(VIEW, phase_sends=False)
    assert refused(house) == "phase"


def test_a_notice_is_refused_once_a_person_has_claimed_the_thread(house: House) -> None:
    house.propose(words=NOTICE, piece=Piece.NOTICE, lane=3)
    house.people.claim(TICKET, house.sign())
    assert house.room().deliver_waiting() == []
    [held] = house.history.deliveries(TICKET)
    assert held.state is DeliveryState.REFUSED
    house.people.release(TICKET, house.sign("d-2"))  # and it does not leave when the thread is free again
    assert house.room().deliver_waiting() == []


def test_a_notice_leaves_in_lane_3_while_nobody_has_claimed_the_thread(house: House) -> None:
    house.propose(words=NOTICE, piece=Piece.NOTICE, lane=3)
    assert house.lane() is Lane.HUMAN_OWNED
    assert states(house.room().deliver_waiting()) == [("r-1", "sent")]


def test_an_approval_that_has_run_out_does_not_leave(house: House) -> None:
    seen = Seen.of(house.worker.register(TICKET))
    done = house.people.answer_myself(TICKET, "We do that.", seen, house.sign(), house.view)
    assert done.reply_key is not None
    house.clock.move(hours=2)
    assert states(house.room().deliver_waiting()) == [(done.reply_key, "refused")]
    assert house.history.refusals(TICKET)[-1].rule == "approval"
    assert house.channel.letters == []


def test_a_policy_that_cannot_be_read_leaves_the_letters_waiting(house: House) -> None:
    house.propose()

    def missing() -> ReleaseView:
        raise PolicyError("no release")

    with pytest.raises(PolicyError):
        PostRoom(house.post, house.history, house.channel, missing).deliver_waiting()
    assert house.state() == "intent"
    assert house.channel.letters == []


# ── two post rooms at once ──────────────────────────────────────────────────────────────────────────────────


def test_two_post_rooms_in_threads_deliver_each_letter_once(house: House) -> None:
    for n in range(10):
        house.propose(f"r-{n}", f"words {n}")
    together = threading.Barrier(4)
    found: list[str] = []

    def work() -> None:
        room = house.room()
        together.wait()
        found.extend(d.reply_key for d in room.deliver_waiting())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(letter["key"] for letter in house.channel.letters) == sorted(f"r-{n}" for n in range(10))
    assert sorted(found) == sorted(f"r-{n}" for n in range(10)), "each letter is told by the room that sent it"


def _deliver_all(ledger_file: str, folder: str, go: object) -> None:
    store = open_store(ledger_file, clock=Clock())
    recorder = Recorder()
    room = PostRoom(PostLedger(store), History(store), recorder, lambda: VIEW)
    go.wait()  # type: ignore[attr-defined]
    room.deliver_waiting()
    for letter in recorder.letters:
        with open(Path(folder) / f"{os.getpid()}.txt", "a", encoding="utf-8") as told:
            told.write(letter["key"] + "\n")


def test_two_post_rooms_in_processes_deliver_each_letter_once(house: House, ledger_file: Path, tmp_path: Path) -> None:
    keys = [house.propose(f"r-{n}", f"words {n}") for n in range(12)]
    told = tmp_path / "told"
    told.mkdir()
    context = multiprocessing.get_context("spawn")
    go = context.Barrier(2)
    processes = [context.Process(target=_deliver_all, args=(str(ledger_file), str(told), go)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    delivered = [key for file in told.iterdir() for key in file.read_text().split()]
    assert sorted(delivered) == sorted(keys)
    assert {house.state(key) for key in keys} == {"sent"}


def test_a_second_room_that_recovers_while_the_first_still_works_does_no_harm(house: House) -> None:
    house.propose()
    house.channel.after = lambda: house.room().recover()
    assert states(house.room().deliver_waiting()) == [("r-1", "sent")], "the first room knows better, and says so"
    assert len(house.channel.letters) == 1


def test_a_room_that_starts_can_spare_the_letters_of_another_that_works(house: House) -> None:
    house.propose()
    house.post.begin("r-1", VIEW)
    house.clock.move(seconds=30)
    assert house.room().recover(older_than=timedelta(minutes=1)) == []
    house.clock.move(seconds=31)
    assert states(house.room().recover(older_than=timedelta(minutes=1))) == [("r-1", "unknown")]


# ── wiring ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_real_letter_becomes_a_mail_with_the_approved_bytes(house: House, tmp_path: Path) -> None:
    house.propose()
    out = tmp_path / "out"
    PostRoom(house.post, house.history, EmlChannel(out, "support@quillstone.example"), lambda: VIEW).deliver_waiting()
    (file,) = out.iterdir()
    assert words_of(file.read_bytes()) == WORDS


def test_the_channel_comes_from_the_settings_and_the_secret_leaves_the_environment(tmp_path: Path) -> None:
    env = {ENV_NAME: "made-up-secret"}
    settings = load_settings(tmp_path, env)
    assert isinstance(channel_for(settings, env, io.StringIO()), ConsoleChannel)
    assert env == {}
    mail = settings.model_copy(update={"channel": "eml"})
    assert isinstance(channel_for(mail, env, io.StringIO()), EmlChannel)


@pytest.fixture
def release() -> Release:
    """The release that comes with Lanewise."""
    file = max(POLICIES.glob("*.toml"))
    return parse_release(file.read_text(encoding="utf-8"), file.name)


def test_the_view_of_a_release_says_what_it_lets_leave(release: Release) -> None:
    view = release_view(release)
    assert view.phase_sends
    assert view.open_families == set(release.rollout.autonomous_families)
    assert len(view.notice_digests) == len(release.notice)
    watching = release.model_copy(update={"rollout": release.rollout.model_copy(update={"phase": Phase.OBSERVE_ONLY})})
    assert release_view(watching) == replace(view, phase_sends=False, open_families=frozenset())


# ── walls ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_room_below_the_desk_imports_the_desk() -> None:
    root = Path(__file__).parents[2]
    found = []
    for room in ("guards", "prompts", "ledger", "tools", "agent"):
        for file in (root / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                found += [f"{file.relative_to(root)}: {name}" for name in names if name.split(".")[0] == "desk"]
    assert found == []
