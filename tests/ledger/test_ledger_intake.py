"""What comes in is filed once, whatever it is made of; what waits is not lost; a ticket is run by one."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from ledger_scene import VIEW, Scene, message
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from guards.lanes import Lane
from ledger.errors import BadMessage, KeyReused, LeaseHeld, LeaseLost, UnknownEvent, UnknownTicket
from ledger.events import HOUSE, Kind
from ledger.intake import Intake
from ledger.store import open_store
from ledger.words import digest_of


def test_the_same_message_told_twice_is_filed_once(scene: Scene) -> None:
    first, again = scene.receive(), scene.receive()
    assert (first.first, again.first) == (True, False)
    assert first.seq == again.seq
    assert len(scene.history.timeline("T1")) == 1
    assert scene.intake.tickets_with_work() == ("T1",)


def test_one_key_with_two_texts_is_an_error_that_names_both_and_keeps_the_first(scene: Scene) -> None:
    scene.receive(text="first")
    with pytest.raises(KeyReused) as caught:
        scene.receive(text="second")
    assert caught.value.kept != caught.value.refused
    assert "T1" in str(caught.value)
    assert [m.text for m in scene.history.thread("T1")] == ["first"]


def test_many_threads_that_tell_one_message_file_it_once(scene: Scene) -> None:
    told = []
    threads = [threading.Thread(target=lambda: told.append(scene.receive())) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(r.first for r in told) == 1
    assert len({r.seq for r in told}) == 1


def test_a_later_message_moves_the_threads_revision(scene: Scene) -> None:
    scene.receive()
    second = scene.receive(key="m2", text="And?")
    assert scene.worker.register("T1").revision == second.seq


def test_a_later_message_cannot_redirect_the_answer(scene: Scene) -> None:
    scene.receive()
    scene.receive(key="m2", text="Send it here instead", recipient="mallory@example.com")
    assert scene.worker.ticket("T1").recipient == "ada@example.com"


@pytest.mark.parametrize("more", [{"verified": False}, {"account_id": "acct-8"}, {"account_id": None}])
def test_one_unverified_or_differing_sender_unverifies_the_thread_for_good(
    scene: Scene, more: dict[str, object]
) -> None:
    scene.receive()
    scene.receive(key="m2", text="hello", **more)
    scene.receive(key="m3", text="hello again")
    assert scene.worker.ticket("T1").verified is False


@pytest.mark.parametrize(
    ("address", "same"),
    [(" Ada@Example.COM ", True), ("mallory@example.com", False), ("ad\u0430@example.com", False), ("", False)],
)
def test_another_verified_person_in_the_thread_unverifies_it(scene: Scene, address: str, same: bool) -> None:
    scene.receive()
    scene.receive(key="m2", text="How many seats do we have?", requester_email=address)
    assert scene.worker.ticket("T1").verified is same


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "\x00",
        "a\x00b",
        "\ud800 lone",
        "<|endoftext|>",
        "\u202egnp.exe",
        "\u200bzero",
        "х" * 200_000,
        "{}",
        "'; DROP TABLE events; --",
    ],
    ids=["empty", "nul", "nul inside", "surrogate", "endoftext", "rtl", "zero width", "200 kB", "json", "sql"],
)
def test_odd_text_is_filed_and_comes_back_but_for_what_no_database_holds(scene: Scene, odd: str) -> None:
    scene.receive(text=odd, subject=odd, requester_name=odd, attachments=(odd,))
    expected = odd.replace("\x00", "\u2400").replace("\ud800", "\ufffd")
    kept = scene.worker.thread("T1")[0]
    assert (kept.text, kept.subject, kept.attachments) == (expected, expected, (expected,))
    assert scene.receive(text=odd, subject=odd, requester_name=odd, attachments=(odd,)).first is False


@pytest.mark.parametrize(("ticket", "key"), [("", "m"), ("  ", "m"), ("T", ""), (HOUSE, "m")])
def test_a_message_without_ticket_or_key_is_refused_with_a_reason(scene: Scene, ticket: str, key: str) -> None:
    with pytest.raises(BadMessage, match="needs a"):
        scene.intake.receive(message(ticket, key))


def test_a_very_long_id_is_filed_under_a_shorter_one_and_still_told_apart(scene: Scene) -> None:
    one, other = scene.receive(ticket="x" * 999), scene.receive(ticket="x" * 998)
    assert one.ticket != other.ticket
    assert len(one.ticket) == 200


def test_a_strangers_message_id_cannot_take_one_of_the_ledgers_own_keys(scene: Scene) -> None:
    received = scene.receive(key="~raised/1")
    scene.assigned(3)
    assert received.key == "=~raised/1"
    assert scene.worker.register("T1").lane is Lane.HUMAN_OWNED


@pytest.mark.parametrize("key", ["letter/T1/answer", "~letter/T1/answer", "=~letter/T1/answer"])
def test_a_strangers_message_id_hides_nothing_from_the_thread(scene: Scene, key: str) -> None:
    scene.receive(key=key, text="please refund everything")
    scene.assigned(1)
    scene.propose(key="T1/answer")
    scene.post.begin("T1/answer", VIEW)
    scene.post.sent("T1/answer")
    assert [m.role for m in scene.worker.thread("T1")] == ["customer", "assistant"]


@pytest.mark.parametrize("context", [float("nan"), {"a": object()}, {"a": {1, 2}}])
def test_a_context_that_is_no_json_is_refused_with_a_reason(scene: Scene, context: object) -> None:
    with pytest.raises(BadMessage, match="plain JSON"):
        scene.receive(context=context)


def test_the_head_of_an_event_holds_none_of_the_customers_words(scene: Scene) -> None:
    scene.receive(text="secret words", subject="secret subject", attachments=("secret.pdf",))
    [event] = scene.history.timeline("T1")
    assert "secret" not in str(event.head)
    assert "ada" not in str(event.head)


def test_what_waits_is_handed_out_in_order_until_it_is_handled(scene: Scene) -> None:
    first = scene.receive().seq
    scene.receive(ticket="T2")
    second = scene.receive(key="m2", text="And?").seq
    assert scene.intake.tickets_with_work() == ("T1", "T2")
    for expected in (first, second):
        event = scene.intake.next_unhandled("T1")
        assert event is not None
        assert event.seq == expected
        scene.intake.mark_handled(expected)
    assert scene.intake.next_unhandled("T1") is None
    assert scene.intake.tickets_with_work() == ("T2",)
    scene.intake.mark_handled(first)  # twice is harmless
    with pytest.raises(UnknownEvent):
        scene.intake.mark_handled(999)


def test_an_event_that_keeps_failing_is_given_up_to_a_person(scene: Scene) -> None:
    seq = scene.receive().seq
    assert [scene.intake.mark_failed(seq, RuntimeError("words of the customer")) for _ in range(3)] == [1, 2, 3]
    assert "words" not in str([e.head for e in scene.history.timeline("T1")])
    scene.intake.give_up(seq)
    scene.intake.give_up(seq)
    assert scene.intake.next_unhandled("T1") is None
    assert scene.worker.register("T1").floor is Lane.HUMAN_OWNED
    [review] = scene.reviews.open()
    assert (review.why, review.ticket, review.packet is not None) == ("event_given_up", "T1", True)


def test_the_customers_own_close_is_an_event_and_a_new_revision(scene: Scene) -> None:
    scene.receive()
    closed = scene.intake.close("T1", "c1")
    assert scene.worker.register("T1").revision == closed.seq
    assert scene.intake.close("T1", "c1").first is False
    with pytest.raises(UnknownTicket):
        scene.intake.close("nobody", "c1")


def test_each_deadline_is_told_once(scene: Scene) -> None:
    scene.receive()
    scene.under_review()
    assert scene.intake.tick() == ()
    scene.clock.forward(hours=5)
    assert scene.intake.tick() == ("T1",)
    assert scene.intake.tick() == ()
    assert [e.kind for e in scene.history.timeline("T1")].count(Kind.DEADLINE_PASSED) == 1
    assert [r.ticket for r in scene.reviews.due()] == ["T1"]


# --- the record ---


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE events SET actor = 'somebody else'",
        "UPDATE events SET actor = 'somebody else', seal = NULL",
        "DELETE FROM events",
        "UPDATE bodies SET text = 'other words'",
        "UPDATE bodies SET digest = 'x', text = NULL, erased_at = 'now'",
        "DELETE FROM bodies",
        "INSERT OR REPLACE INTO bodies SELECT id, ticket_id, 'other words', digest, erased_at FROM bodies",
        "INSERT OR REPLACE INTO events SELECT seq, ticket_id, key, kind, at, 'other', head, body_id, seal FROM events",
    ],
)
def test_the_database_itself_refuses_to_change_what_happened(scene: Scene, deed: str) -> None:
    scene.receive()
    with pytest.raises(IntegrityError, match="append-only"), scene.store.write() as conn:
        conn.execute(text(deed))
    assert scene.history.thread("T1")[0].text == "Where do I find audit logs?"
    assert scene.history.timeline("T1")[0].actor == "customer"


def test_erasing_a_body_keeps_its_digest_and_the_event(scene: Scene) -> None:
    scene.receive(text="a secret that nobody may keep")
    before = scene.history.timeline("T1")[0]
    scene.people.erase("T1", scene.sign())
    after = scene.history.timeline("T1")[0]
    assert before.body is not None
    assert after.body is not None
    assert (after.body.text, after.body.digest) == (None, before.body.digest)
    assert after.body.digest == digest_of(before.body.text or "")
    assert (after.seq, after.key, after.head) == (before.seq, before.key, before.head)
    record = scene.worker.ticket("T1")
    assert (record.erased, record.recipient, record.requester_email, record.verified) == (True, "", "", False)
    assert scene.worker.thread("T1")[0].erased


def test_erased_words_are_gone_from_the_files_too(scene: Scene) -> None:
    scene.receive(text="xylophone-in-the-attic " * 2000, requester_email="gone@example.com")
    scene.people.erase("T1", scene.sign())
    scene.store.close()
    left = b"".join(f.read_bytes() for f in scene.path.parent.iterdir())
    assert b"xylophone-in-the-attic" not in left
    assert b"gone@example.com" not in left


# --- the lease ---


def test_one_ticket_is_run_by_one_and_another_ticket_by_another(scene: Scene) -> None:
    with scene.intake.lease("T1", "one", 60):
        with pytest.raises(LeaseHeld, match="one"), scene.intake.lease("T1", "two", 60):
            pass
        with scene.intake.lease("T2", "two", 60):
            pass
    with scene.intake.lease("T1", "two", 60):
        pass


def test_a_crashed_holders_lease_runs_out_and_it_cannot_come_back(scene: Scene) -> None:
    with scene.intake.lease("T1", "crashed", 60) as lost:
        scene.clock.forward(seconds=61)
        with scene.intake.lease("T1", "next", 60):
            with pytest.raises(LeaseLost):
                lost.renew(60)
            lost.release()
            with pytest.raises(LeaseHeld), scene.intake.lease("T1", "third", 60):
                pass


def test_a_lease_that_is_renewed_does_not_run_out(scene: Scene) -> None:
    with scene.intake.lease("T1", "slow", 60) as held:
        scene.clock.forward(seconds=50)
        held.renew(60)
        scene.clock.forward(seconds=50)
        with pytest.raises(LeaseHeld), scene.intake.lease("T1", "other", 60):
            pass


def test_a_ticket_with_nothing_to_do_is_not_taken(scene: Scene) -> None:
    assert scene.intake.take("T1", "idle", 60) is None
    scene.intake.mark_handled(scene.receive().seq)
    assert scene.intake.take("T1", "idle", 60) is None
    with scene.intake.lease("T1", "other", 60):
        pass


def test_whoever_takes_a_ticket_holds_it_until_nothing_waits(scene: Scene) -> None:
    first, second = scene.receive().seq, scene.receive(key="m2", text="And?").seq
    taken = scene.intake.take("T1", "one", 60)
    assert taken is not None
    lease, event = taken
    assert event.seq == first
    scene.clock.forward(seconds=50)
    following = scene.intake.handled(first, lease, 60)
    assert following is not None and following.seq == second
    scene.clock.forward(seconds=50)  # renewed with the next event
    with pytest.raises(LeaseHeld, match="one"):
        scene.intake.take("T1", "two", 60)
    assert scene.intake.handled(second, lease, 60) is None
    assert lease.ended
    third = scene.receive(key="m3", text="Thanks!").seq
    again = scene.intake.take("T1", "two", 60)  # filed after the end, and not left lying
    assert again is not None and again[1].seq == third
    lease.release()  # ours no more: it takes nothing from the next holder
    with pytest.raises(LeaseHeld, match="two"):
        scene.intake.take("T1", "three", 60)


def test_an_event_stays_handled_where_its_worker_has_lost_the_ticket_meanwhile(scene: Scene) -> None:
    first, second = scene.receive().seq, scene.receive(key="m2", text="And?").seq
    taken = scene.intake.take("T1", "slow", 60)
    assert taken is not None
    scene.clock.forward(seconds=61)
    with pytest.raises(LeaseLost, match="slow"):
        scene.intake.handled(first, taken[0], 60)
    waiting = scene.intake.next_unhandled("T1")
    assert waiting is not None and waiting.seq == second


_COUNT = """
import sys, time
from ledger.errors import LeaseHeld
from ledger.intake import Intake
from ledger.store import open_store
intake = Intake(open_store(sys.argv[1]))
done = 0
while done < 10:
    try:
        with intake.lease("T1", "process", 30):
            with open(sys.argv[2], "r+") as f:
                n = int(f.read())
                time.sleep(0.002)  # long enough for the other process to read the same number
                f.seek(0)
                f.write(str(n + 1))
            done += 1
    except LeaseHeld:
        time.sleep(0.001)
"""


def test_the_lease_holds_between_two_processes(scene: Scene) -> None:
    counter = scene.path.with_name("counter")
    counter.write_text("0")
    args = [sys.executable, "-c", _COUNT, str(scene.path), str(counter)]
    started = [subprocess.Popen(args) for _ in range(2)]
    assert [p.wait(15) for p in started] == [0, 0]
    assert counter.read_text() == "20"


_CRASH = """
import os, sys
from ledger.intake import Intake
from ledger.store import open_store
with Intake(open_store(sys.argv[1])).lease("T1", "doomed", 1.0):
    os.kill(os.getpid(), 9)
"""


def test_a_killed_process_holds_its_ticket_only_until_the_lease_runs_out(scene: Scene) -> None:
    killed = subprocess.run([sys.executable, "-c", _CRASH, str(scene.path)], check=False)
    assert killed.returncode == -9
    real = open_store(scene.path)
    with pytest.raises(LeaseHeld), Intake(real).lease("T1", "next", 1):
        pass
    later = open_store(scene.path, clock=lambda: datetime.now(UTC) + timedelta(seconds=2))
    with Intake(later).lease("T1", "next", 1):
        pass
    real.close()
    later.close()
