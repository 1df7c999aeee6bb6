"""I6: what is sent is what was approved, to the bit, whoever writes in the ledger's file in between."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ledger"))

from ledger_scene import VIEW, Scene

from desk.channels.eml import EmlChannel, words_of
from desk.post import PostRoom
from guards.facts import Fact, Facts, Standing
from guards.gate import Permit, Piece, Refusal
from ledger.changing import ChangeLedger, Running
from ledger.errors import StoreBroken
from ledger.events import Kind
from ledger.outbox import Sending
from ledger.words import digest_of, keepable

APPROVED = "Sorry, Ada – 80 € will not be refunded; 5 seats stay. Não é possível."
ANSWER = "Open Admin, then Audit."
REFUND: dict[str, Any] = {"account_id": "A-1001", "amount": 80.0, "currency": "EUR", "reason": "INC-2331"}
KEY = "T1/answer"
IN_OUTBOX, IN_APPROVALS = "UPDATE outbox SET digest = :told", "UPDATE approvals SET digest = :told"


@pytest.fixture
def scene(tmp_path: Path, empty_ledger: Path) -> Iterator[Scene]:
    shutil.copy(empty_ledger, tmp_path / "ledger.db")
    made = Scene(tmp_path / "ledger.db")
    made.receive()
    with made.store.write() as conn:  # whoever can write to the file can do this too
        for name in conn.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            conn.execute(text(f'DROP TRIGGER "{name}"'))
    yield made
    made.store.close()


@dataclass
class Held:
    """An effect that waits in the ledger, and the hand of somebody who writes in its file."""

    scene: Scene
    key: str
    table: str
    """``outbox`` or ``changes``."""
    body: int
    raw: bytes
    digest: str

    def leaves(self) -> bool:
        """Does it leave now? Put back afterwards as it was."""
        try:
            if self.table == "outbox":
                answer: object = self.scene.post.begin(self.key, VIEW)
            else:
                answer = ChangeLedger(self.scene.store).begin(self.key, VIEW)
        except StoreBroken:
            return False  # bytes that are no text at all stop the room, and a person looks
        finally:
            self.restore()
        assert isinstance(answer, Sending | Running | Refusal)
        return not isinstance(answer, Refusal)

    def restore(self) -> None:
        """All as it was, and waiting."""
        self.write("UPDATE bodies SET text = CAST(:raw AS TEXT), digest = :digest WHERE id = :body")
        self.write("UPDATE changes SET state = 'intent'")
        self.write("UPDATE outbox SET state = 'intent', digest = :digest")
        self.write("UPDATE approvals SET digest = :digest")

    def write(self, sql: str, **more: Any) -> None:
        """One statement, with the true bytes and digest at hand."""
        with self.scene.store.write() as conn:
            conn.execute(text(sql), {"raw": self.raw, "digest": self.digest, "body": self.body, **more})


def approved(scene: Scene) -> Held:
    scene.under_review(APPROVED)
    review = scene.reviews.open()[0]
    made = scene.people.approve(review.id, APPROVED.encode(), scene.seen(), scene.sign(), VIEW)
    assert made.reply_key is not None
    held = scene.post.delivery(made.reply_key)
    return Held(scene, made.reply_key, "outbox", held.body.id, APPROVED.encode(), held.letter.digest)


def answered(scene: Scene) -> Held:
    scene.assigned(1)
    assert isinstance(scene.propose(ANSWER, KEY, Piece.ANSWER), Permit)
    held = scene.post.delivery(KEY)
    return Held(scene, KEY, "outbox", held.body.id, ANSWER.encode(), held.letter.digest)


def ordered(scene: Scene) -> Held:
    facts = Facts((Fact("account.id", "A-1001", Standing.CONFIRMED, "accounts", scene.clock()),))
    scene.worker.record("T1", Kind.FACTS_GATHERED, "m1/facts", {}, {"facts": facts.to_json()})
    opening = scene.worker.open_action("T1", scene.worker.register("T1").revision, 3, "state_change").actions[0].id
    scene.people.approve_change("T1", opening, "approve_refund", REFUND, scene.seen(), scene.sign(), VIEW)
    [held] = scene.history.changes("T1")
    assert held.arguments.text is not None
    return Held(scene, held.key, "changes", held.arguments.id, held.arguments.text.encode(), held.arguments.digest)


def flips(raw: bytes, bits: int) -> Iterator[bytes]:
    """Each byte changed in so many of its bits, one at a time."""
    for place in range(len(raw)):
        for bit in range(bits):
            yield raw[:place] + bytes([raw[place] ^ 1 << (bit + place) % 8]) + raw[place + 1 :]


def forgeries(held: Held, bits: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every way to write other bytes, or another digest, into the file."""
    body = "UPDATE bodies SET text = CAST(:other AS TEXT) WHERE id = :body"
    for other in flips(held.raw, bits):
        told = digest_of(other)

        def alone(other: bytes = other) -> None:
            held.write(body, other=other)

        def with_its_digest(other: bytes = other, told: str = told) -> None:
            held.write(body.replace("WHERE", ", digest = :told WHERE"), other=other, told=told)

        def with_every_digest(other: bytes = other, told: str = told) -> None:
            with_its_digest(other, told)
            held.write(IN_OUTBOX, told=told)
            held.write(IN_APPROVALS, told=told)

        yield "the body", alone
        yield "the body and its digest", with_its_digest
        yield "the body and every digest of its rows", with_every_digest
    for sql in (IN_OUTBOX, IN_APPROVALS) if held.table == "outbox" else ():
        for place in range(len(held.digest)):
            for other_digit in sorted(set("0123456789abcdef") - {held.digest[place]})[:bits]:
                told = held.digest[:place] + other_digit + held.digest[place + 1 :]

                def digest_alone(sql: str = sql, told: str = told) -> None:
                    held.write(sql, told=told)

                yield sql, digest_alone


WAITING: dict[str, Callable[[Scene], Held]] = {
    "an approved text": approved,
    "the assistant's answer": answered,
    "an ordered change": ordered,
}


@pytest.mark.parametrize("what", WAITING)
def test_no_flip_of_what_was_approved_leaves(
    scene: Scene, what: str, size: Callable[[int, int], int], shown: Callable[..., None]
) -> None:
    held = WAITING[what](scene)
    count, left = 0, []
    for where, forge in forgeries(held, size(1, 8)):
        if where == IN_APPROVALS and what == "the assistant's answer":
            continue  # it has no approval
        forge()
        count += 1
        if held.leaves():
            left.append(where)
    assert left == []
    assert count >= len(held.raw) * 3
    assert held.leaves(), "untouched, it leaves: the refusals above are not of something else"
    shown(
        "I6",
        f"one bit of {what} changed in the file between approval and effect: in the body, in body and digests, in each "
        "digest of its rows",
        f"{count} forgeries, {len(left)} left",
        "untouched, it left",
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(min_size=1, max_size=300).filter(lambda t: t.strip() != ""))
def test_what_a_person_wrote_is_in_the_mail_byte_for_byte(tmp_path: Path, empty_ledger: Path, words: str) -> None:
    place = tmp_path / digest_of(words)[:16]
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(empty_ledger, place / "ledger.db")
    house = Scene(place / "ledger.db")
    house.receive()
    house.people.answer_myself("T1", words, house.seen(), house.sign(), VIEW)
    room = PostRoom(house.post, house.history, EmlChannel(place / "out", "help@team.example"), lambda: VIEW)
    assert [d.state.value for d in room.deliver_waiting()] == ["sent"]
    [mail] = (place / "out").glob("*.eml")
    assert words_of(mail.read_bytes()) == keepable(words)
    house.store.close()


def test_a_row_that_claims_an_approval_nobody_gave_does_not_leave(scene: Scene) -> None:
    scene.people.claim("T1", scene.sign())  # before the answer: a claim withdraws what waits
    scene.people.release("T1", scene.sign())
    held = answered(scene)
    decided = next(e.seq for e in scene.history.timeline("T1") if e.kind is Kind.PERSON_DECIDED)
    letter = scene.post.delivery(KEY).letter
    with scene.store.write() as conn:
        row = {
            "decided": decided,
            "digest": letter.digest,
            "revision": letter.revision,
            "release": letter.release,
            "expires": "2099-01-01T00:00:00.000000+00:00",
        }
        conn.execute(
            text(
                "INSERT INTO approvals (id, ticket_id, decided_by, digest, recipient, epoch, revision, release, by, "
                "expires_at) VALUES ('forged', 'T1', :decided, :digest, 'ada@example.com', 0, :revision, :release, "
                "'maria', :expires)"
            ),
            row,
        )
        conn.execute(text("UPDATE outbox SET piece = 'approved', approval_id = 'forged'"))
    answer = scene.post.begin(held.key, VIEW)
    assert isinstance(answer, Refusal)
    assert answer.rule == "record"


def test_the_bytes_that_are_flipped_are_those_that_would_be_sent(scene: Scene) -> None:
    held = ordered(scene)
    assert json.loads(held.raw) == REFUND
    assert digest_of(held.raw) == held.digest
