"""The post room as a process of its own: it sends what may leave as it comes, and tells what became of each."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any

from agent.release_in_force import release_in_force, release_view
from desk.changes import ChangeRoom, system_for
from desk.channels import MAIL, Channel
from desk.channels.chat import with_chat
from desk.channels.console import visible
from desk.policy.files import release_now
from desk.post import PostRoom
from desk.queue_mail import tell_queues
from desk.records import Records
from desk.ways_out import went
from guards.errors import PolicyError
from ledger.changes import Change, ChangeState
from ledger.changing import ChangeLedger
from ledger.errors import Busy
from ledger.events import Kind
from ledger.letters import Delivery, DeliveryState
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger

Tell = Callable[[str], None]

IN_HAND = timedelta(minutes=2)
"""How long a letter may be in a post room's hands before another room calls it unknown: longer than any channel takes.
A room that is killed leaves its letter so, and a room that works is not disturbed."""
_RECOVER_SECONDS = 60.0


def stay(records: Records, channel: Channel, tell: Tell, every: float) -> int:
    """The post room as a process of its own: delivers what may leave, and carries out what people ordered, until
    SIGINT or SIGTERM; the letter in hand is finished first. Returns 0."""
    with told_to_stop() as stop:
        tell(f"The post room is open: it looks every {every:g} s. Stop it by SIGINT or SIGTERM.")
        sent = keep_posting(records, channel, tell, stop, lambda: stop.wait(every))
    tell(f"The post room is closed: {counted(sent, 'letter')} left by it.")
    return 0


def keep_posting(
    records: Records, channel: Channel, tell: Tell, stop: threading.Event, pause: Callable[[], object]
) -> int:
    """Delivers what may leave as it comes, and carries out what people ordered, until ``stop``; ``pause`` waits between
    two looks. Returns how many letters left.

    It runs no graph and asks no model. Any number of rooms and workers may be at work beside it. The release is read
    anew for each letter: while it cannot be read, letters wait. A busy ledger is tried again; a broken one ends it
    (StoreBroken).
    """
    room, changes = _rooms(records, channel)
    sent, trouble, recovered = 0, "", -_RECOVER_SECONDS
    while not stop.is_set():
        try:
            if monotonic() - recovered >= _RECOVER_SECONDS:
                recovered = monotonic()
                _recover(records, room, changes, tell)
                if written := tell_queues(records, channel):
                    tell(f"{counted(written, 'queue')} told by mail of a passed deadline")
            for delivery in _each(records, room, changes, tell, stop.is_set):
                sent += delivery.state is DeliveryState.SENT
            trouble = ""
        except (Busy, PolicyError, OSError, UnicodeError) as error:
            said = f"Nothing leaves for now: {error}"
            if said != trouble:
                tell(visible(said))
            trouble = said
        pause()
    room.record_what_is_owed()
    if changes:
        changes.record_what_is_owed()
    return sent


def _rooms(records: Records, channel: Channel) -> tuple[PostRoom, ChangeRoom | None]:
    def view() -> ReleaseView:
        return release_view(release_in_force(records.store, release_now(records.settings, records.store)))

    system = system_for(records.settings)
    both, mails = with_chat(channel, records.store), channel.name in MAIL
    room = PostRoom(PostLedger(records.store), records.history, both, view, mails=mails)
    return room, ChangeRoom(ChangeLedger(records.store), system, view) if system else None


def _each(
    records: Records, room: PostRoom, changes: ChangeRoom | None, tell: Tell, stop: Callable[[], bool]
) -> Iterator[Delivery]:
    """Each letter as it is done, told before the next is begun."""
    for change in changes.run_waiting(stop) if changes else []:
        tell(told_of_change(records, change))
    for delivery in room.each_waiting(stop=stop):
        tell(told(records, delivery))
        yield delivery


def _recover(records: Records, room: PostRoom, changes: ChangeRoom | None, tell: Tell) -> None:
    known = {d.reply_key for d in PostLedger(records.store).unknowns()}
    for delivery in room.recover(IN_HAND):
        if delivery.reply_key not in known:
            tell(told(records, delivery))
    if changes is not None:
        doubted = {c.key for c in ChangeLedger(records.store).unknowns()}
        for change in changes.recover(IN_HAND):
            if change.key not in doubted:
                tell(told_of_change(records, change))


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set. A handler interrupts nothing: what is being done is done to its end."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def told(place: Records, delivery: Delivery) -> str:
    """What became of a letter, in one line that no stranger's id can break."""
    letter = delivery.letter
    to = went(delivery, place.history.mailed_to(delivery))
    line = (
        f"{delivery.state.value:<8} {letter.piece.value} for ticket {letter.ticket}, to {to}: {_why(place, delivery)}"
    )
    return visible(line.replace("\n", " "))


def _why(place: Records, delivery: Delivery) -> str:
    heads = [e.head for e in place.history.timeline(delivery.letter.ticket) if e.kind in _ENDS]
    head = next((h for h in reversed(heads) if h.get("reply_key") == delivery.reply_key), _NOTHING)
    error = f" ({head['error']})" if head.get("error") else ""
    match delivery.state:
        case DeliveryState.SENT:
            return "it left"
        case DeliveryState.FAILED:
            return f"the channel did not take it{error}; a person is called"
        case DeliveryState.UNKNOWN:
            return f"nobody knows whether it arrived{error}; no machine sends it again, and a person is called"
        case DeliveryState.REFUSED:
            return f"{head.get('reason', 'its right died')}; it does not leave"
        case DeliveryState.INTENT | DeliveryState.SENDING:
            minutes = int(IN_HAND.total_seconds() // 60)
            return f"in a post room's hands; unknown where nobody tells what became of it within {minutes} minutes"


def told_of_change(place: Records, change: Change) -> str:
    """What became of a change, in one line."""
    said = {
        ChangeState.DONE: f"it was made, under {change.by}'s name ({change.reference or 'no reference'})",
        ChangeState.FAILED: "the system did not make it; a person is called",
        ChangeState.UNKNOWN: "nobody knows whether it was made; no machine tries it again, and a person is called",
        ChangeState.REFUSED: f"{_reason(place, change)}; it is not made",
    }.get(change.state, "it is being carried out")
    return visible(f"{change.state.value:<8} {change.action} for ticket {change.ticket}: {said}".replace("\n", " "))


def _reason(place: Records, change: Change) -> str:
    heads = [e.head for e in place.history.timeline(change.ticket) if e.kind is Kind.RIGHT_REFUSED]
    return next((str(h["reason"]) for h in reversed(heads) if h.get("change") == change.key), "its order died")


_NOTHING: Mapping[str, Any] = {}
_ENDS = frozenset({Kind.RIGHT_REFUSED, Kind.DELIVERY_FAILED, Kind.DELIVERY_UNKNOWN})


def counted(number: int, what: str) -> str:
    """``1 letter``, ``2 letters``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
