"""An abstract model of the boundary in plain tuples: each act, what it answers, and what must hold whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

Act: TypeAlias = tuple[Any, ...]
"""A name and its arguments: ``("raise_floor", 3)``."""

PERMIT = "permit"
"""What an act answers that was carried out; everything else is the rule, or the error, that stopped it."""

ANSWER, QUESTION, CLOSING, NOTICE, APPROVED = "answer", "question", "closing", "notice", "approved"
REPLIES = (ANSWER, QUESTION, CLOSING)
TEMPLATE, DRAFT, OTHER = "template", "draft", "other"
"""Three texts: the approved notice, what a review holds as its draft, and any other."""
INTENT, SENDING, SENT, FAILED, UNKNOWN, REFUSED = "intent", "sending", "sent", "failed", "unknown", "refused"
COUNTED = (INTENT, SENDING, SENT, UNKNOWN)
NOBODY, BEGUN, HANDED = 0, 1, 2
"""Whether a post room has the letter in its hands: no, not yet handed over, handed over and not yet recorded."""
MARIA, OONA = "Maria", "Oona"
"""Two people: Maria decides, approves and answers; Oona is a colleague who takes and ends threads."""
CLOSED = 4
"""Stands in ``State.answers`` for an answer that was closed; 0 for none, 1 to 3 for the lane of an open one."""


class Policy(NamedTuple):
    """What a release says about leaving."""

    sends: bool
    family_open: bool


POLICIES = (Policy(True, True), Policy(True, False), Policy(False, False))
"""Three releases, each with a version of its own: lane 1 open; lane 1 held; observe-only."""


class Yes(NamedTuple):
    """A person's approval, and (for the invariants alone) what that person really had before their eyes."""

    text: str
    epoch: int
    revision: int
    policy: int
    saw_text: str
    saw_epoch: int
    saw_revision: int


class Letter(NamedTuple):
    """One row of the outbox; below the line stands what only the invariants read."""

    key: Any
    piece: str
    text: str
    own_address: bool
    epoch: int
    revision: int
    policy: int
    halts: int
    """Halts there had been when it was proposed."""
    state: str
    counts: bool
    """Proposed since a person last settled the thread."""
    yes: Yes | None = None
    expired: bool = False
    hand: int = NOBODY
    # ── history, for the invariants alone ──
    raised: bool = False
    wrote: bool = False
    stopped: bool = False
    """It waited when a halt came, or a person took the thread or ended the work; a text that a person approved: when
    another person did."""
    started: bool = False
    said: int = 0


class Review(NamedTuple):
    """The open question to a person."""

    draft: str | None
    epoch: int
    revision: int


class Box(NamedTuple):
    """An executor with the tools of a lane, from an epoch, of a process that has read this release."""

    lane: int
    epoch: int
    revision: int
    policy: int
    raised: bool = False
    """For the invariants alone: the lane has risen since it was opened."""


class State(NamedTuple):
    """One ticket and the house around it."""

    floor: int = 1
    epoch: int = 0
    revision: int = 0
    """Index of what the customer wrote last."""
    policy: int = 0
    halted: bool = False
    halts: int = 0
    holder: str | None = None
    """Who has claimed the thread."""
    answers: tuple[int, ...] = (0,)
    """One entry a message."""
    review: Review | None = None
    seen: tuple[int, int, str | None] | None = None
    """What the person at the desk looked at last: epoch, revision, draft."""
    letters: tuple[Letter, ...] = ()
    refused: tuple[tuple[Any, str], ...] = ()
    """Reply keys whose proposal was refused, with the rule that stands for ever."""
    box: Box | None = None

    @property
    def lane(self) -> int:
        """The highest of the floor and the open answers."""
        highest = self.floor
        for lane in self.answers:
            if highest < lane < CLOSED:
                highest = lane
        return highest

    def letter(self, key: Any) -> Letter | None:
        """The letter under a reply key."""
        return next((one for one in self.letters if one.key == key), None)


Answer: TypeAlias = tuple[State, str]
Cut: TypeAlias = frozenset[str]
"""The checks that a mutant of the model lacks."""

RIGHTS: dict[str, frozenset[int]] = {
    "send_answer": frozenset({1}),
    "ask_question": frozenset({1}),
    "close_ticket": frozenset({1}),
    "draft_reply": frozenset({2}),
    "suggest_help": frozenset({1, 2}),
    "summarise": frozenset({1, 2, 3}),
    "release_notice": frozenset({2, 3}),
    "approve_refund": frozenset(),
}
"""The lanes that hold each tool's right; written out a second time on purpose."""
PIECE_OF = {"send_answer": ANSWER, "ask_question": QUESTION, "close_ticket": CLOSING, "release_notice": NOTICE}
LANES_OF = {ANSWER: RIGHTS["send_answer"], QUESTION: RIGHTS["ask_question"], CLOSING: RIGHTS["close_ticket"]}
LANES_OF[NOTICE] = RIGHTS["release_notice"]
OBSERVED = frozenset({*PIECE_OF, "draft_reply"})
"""What observe-only takes from every lane."""


# ── the gate ────────────────────────────────────────────────────────────────────────────────────────────────


def judge(s: State, one: Letter, cut: Cut, *, proposing: bool) -> str:
    """The rule that stops a letter at this moment, in the gate's order, or PERMIT."""
    others = [x for x in s.letters if x.key != one.key and x.counts and x.state in COUNTED]
    by_person, lane, policy = one.piece == APPROVED, s.lane, POLICIES[s.policy]
    if one.piece == QUESTION and any(x.piece == QUESTION for x in others):
        return "one_question"
    if not one.own_address and "recipient" not in cut:
        return "recipient"
    if not policy.sends and not by_person and "phase" not in cut:
        return "phase"
    if s.halted and not by_person and "halted" not in cut:
        return "halted"
    if not proposing and one.halts < s.halts and not by_person and "halted_since" not in cut:
        return "halted"
    if not by_person and lane not in LANES_OF[one.piece] and "lane" not in cut:
        return "lane"
    if lane == 1 and not policy.family_open and not by_person and "family" not in cut:
        return "family"
    if one.epoch != s.epoch and "epoch" not in cut:
        return "epoch"
    if one.revision != s.revision and "revision" not in cut:
        return "revision"
    if one.policy != s.policy and "release" not in cut:
        return "release"
    if s.holder is not None and not by_person and "claimed" not in cut:
        return "claimed"
    # Not a cut: a claim withdraws such a text, so that only the gate's own tests meet it (tests/guards/test_gate.py).
    if by_person and s.holder not in (None, MARIA):
        return "claimed"
    if one.piece == NOTICE:
        if one.text != TEMPLATE and "notice_bytes" not in cut:
            return "notice"
        if any(x.piece == NOTICE for x in others) and "notice_once" not in cut:
            return "notice"
    if by_person and not _approved(one, cut):
        return "approval"
    return PERMIT


def _approved(one: Letter, cut: Cut) -> bool:
    if one.yes is None:
        return "approval_forged" in cut
    bound = (one.yes.text, one.yes.epoch, one.yes.revision, one.yes.policy)
    if bound != (one.text, one.epoch, one.revision, one.policy) and "approval_bound" not in cut:
        return False
    return not one.expired or "approval_expiry" in cut


# ── what comes in, and the register ─────────────────────────────────────────────────────────────────────────


def write(s: State, cut: Cut) -> Answer:
    """The customer writes."""
    letters = tuple(x._replace(wrote=True) for x in s.letters)
    return s._replace(revision=s.revision + 1, answers=(*s.answers, 0), letters=letters), PERMIT


def open_answer(s: State, cut: Cut, lane: int) -> Answer:
    """The worker opens the answer to what was written last, or raises the one that is open."""
    held = s.answers[-1]
    if held == CLOSED:
        return s, PERMIT
    wanted = max(s.floor, lane) if "raise_only" not in cut else lane
    return _told(s, s._replace(answers=(*s.answers[:-1], _up(held, wanted, cut))), cut), PERMIT


def raise_floor(s: State, cut: Cut, lane: int) -> Answer:
    """The worker raises the floor; a lower lane changes nothing."""
    return _told(s, s._replace(floor=_up(s.floor, lane, cut)), cut), PERMIT


def close_answer(s: State, cut: Cut, at: int) -> Answer:
    """The worker closes an answer that does not hold the lane up."""
    if at >= len(s.answers) or s.answers[at] in (0, CLOSED):
        return s, "UnknownOpening"
    after = s._replace(answers=(*s.answers[:at], CLOSED, *s.answers[at + 1 :]))
    if after.lane < s.lane and "close_answer" not in cut:
        return s, "OnlyAPersonLowers"
    return after, PERMIT


def _up(held: int, to: int, cut: Cut) -> int:
    return to if "raise_only" in cut else max(held, to)


def _told(before: State, after: State, cut: Cut) -> State:
    """One epoch later where lane or floor rose."""
    if after.lane <= before.lane and after.floor <= before.floor:
        return after
    letters = tuple(x._replace(raised=True) for x in after.letters)
    box = after.box._replace(raised=True) if after.box else None
    return after._replace(epoch=after.epoch + ("epoch_bump" not in cut), letters=letters, box=box)


# ── the assistant: proposals, and calls through the executor ────────────────────────────────────────────────


def propose(s: State, cut: Cut, key: Any, piece: str, text: str, bend: str = "", at: int | None = None) -> Answer:
    """A step asks for a text to leave. ``bend`` names what it gets wrong: epoch, revision, release or address;
    ``at`` is the message it answers, the last one by default."""
    held = s.letter(key)
    if held is not None and "unique_key" not in cut:
        return s, PERMIT if held.text == text else "reply_key"
    if (rule := dict(s.refused).get(key)) is not None:
        return s, rule
    one = Letter(
        key=key,
        piece=piece,
        text=text,
        own_address=bend != "address",
        epoch=s.epoch - (bend == "epoch"),
        revision=(s.revision if at is None else at) - (bend == "revision"),
        policy=(s.policy + (bend == "release")) % len(POLICIES),
        halts=s.halts,
        state=INTENT,
        counts=True,
    )
    rule = _own_checks(s, one, cut)
    if rule == PERMIT:
        rule = judge(s, one, cut, proposing=True)
    if rule != PERMIT:
        return s._replace(refused=(*s.refused, (key, rule))), rule
    return s._replace(letters=(*s.letters, one)), PERMIT


def _own_checks(s: State, one: Letter, cut: Cut) -> str:
    if one.piece == APPROVED:
        return PERMIT if "approval_forged" in cut else "approval"
    if one.piece in REPLIES and (one.revision < 0 or s.answers[one.revision] in (0, CLOSED)):
        return "opening"
    return PERMIT


def open_box(s: State, cut: Cut) -> Answer:
    """The executor is opened with the tools of the lane as it is."""
    return s._replace(box=Box(s.lane, s.epoch, s.revision, s.policy)), PERMIT


def call(s: State, cut: Cut, tool: str, text: str = DRAFT) -> Answer:
    """A model calls a tool; what speaks goes on as a proposal under the box's own key."""
    box = s.box
    assert box is not None
    lane = box.lane if "executor_rereads" in cut else s.lane
    if box.lane not in RIGHTS[tool]:
        return s, "lane"
    if box.epoch != s.epoch and "executor_epoch" not in cut:
        return s, "epoch"
    if lane not in RIGHTS[tool]:
        return s, "lane"
    if "executor_grant" not in cut:
        if tool in OBSERVED and not POLICIES[box.policy].sends:
            return s, "phase"
        if tool in PIECE_OF and s.halted:
            return s, "halted"
    if tool not in PIECE_OF:
        return s, PERMIT
    if PIECE_OF[tool] in REPLIES and text != DRAFT and "grounded" not in cut:
        return s, "ungrounded"
    key = ("box", box.revision, PIECE_OF[tool])
    # The process asks under the release it has read; the post room reads the release anew for every letter.
    after, said = propose(s._replace(policy=box.policy), cut, key, PIECE_OF[tool], text, at=box.revision)
    return after._replace(policy=s.policy), said


# ── people ──────────────────────────────────────────────────────────────────────────────────────────────────


def open_review(s: State, cut: Cut) -> Answer:
    """The worker asks a person, with a draft where the lane still has one."""
    return s._replace(review=Review(DRAFT if s.lane < 3 else None, s.epoch, s.revision)), PERMIT


def look(s: State, cut: Cut) -> Answer:
    """A person is shown the ticket as it is."""
    return s._replace(seen=(s.epoch, s.revision, s.review.draft if s.review else None)), PERMIT


def approve(s: State, cut: Cut, text: str) -> Answer:
    """The person says yes to a text that should be the review's draft."""
    assert s.seen is not None and s.review is not None
    draft = s.review.draft
    if not _seen(s, cut):
        return s, "StaleDecision"
    if draft is None:
        return s, "NothingToApprove"
    if "approve_seen" not in cut:
        stale = (s.review.epoch, s.review.revision) != (s.epoch, s.revision)
        if s.seen[2] != draft or stale or s.lane == 3:
            return s, "StaleDecision"
    if text != draft and "approve_text" not in cut:
        return s, "StaleDecision"
    if _not_theirs(s, cut, MARIA):
        return s, "AlreadyClaimed"
    return _answer(s, text, draft), PERMIT


def answer(s: State, cut: Cut, text: str) -> Answer:
    """The person sends words of their own."""
    if not _seen(s, cut):
        return s, "StaleDecision"
    if _not_theirs(s, cut, MARIA):
        return s, "AlreadyClaimed"
    return _answer(s, text, text), PERMIT


def _not_theirs(s: State, cut: Cut, by: str) -> bool:
    return s.holder not in (None, by) and "holder" not in cut


def _seen(s: State, cut: Cut) -> bool:
    assert s.seen is not None
    return s.seen[:2] == (s.epoch, s.revision) or "approve_seen" in cut


def _answer(s: State, text: str, saw: str) -> State:
    assert s.seen is not None
    yes = Yes(text, s.epoch, s.revision, s.policy, saw, s.seen[0], s.seen[1])
    number = sum(x.piece == APPROVED for x in s.letters)
    one = Letter(("person", number), APPROVED, text, True, s.epoch, s.revision, s.policy, s.halts, INTENT, True, yes)
    answers = tuple(CLOSED if 0 < a < CLOSED else a for a in s.answers)
    return _settled(s)._replace(answers=answers, review=None, letters=(*_settled(_withdrawn(s)).letters, one))


def _withdrawn(s: State) -> State:
    waits = (INTENT,)
    return s._replace(
        letters=tuple(x._replace(state=REFUSED) if x.state in waits and x.piece != APPROVED else x for x in s.letters)
    )


def _passed_on(s: State, by: str, *, withdraws: bool) -> State:
    """What waits when a person takes the thread or ends the work dies with it: the assistant's, and what a colleague of
    theirs had approved. With the check taken out it stays, and is only marked."""
    met = (x.state == INTENT and (x.piece != APPROVED or by != MARIA) for x in s.letters)
    to = {"state": REFUSED} if withdraws else {}
    return s._replace(
        letters=tuple(x._replace(stopped=True, **to) if m else x for x, m in zip(s.letters, met, strict=True))
    )


def _settled(s: State) -> State:
    # Whoever looked before the decision has not seen it: no epoch is -1.
    stale = None if s.seen is None else (-1, *s.seen[1:])
    return s._replace(letters=tuple(x._replace(counts=False) for x in s.letters), seen=stale)


def change_lane(s: State, cut: Cut, to: int) -> Answer:
    """The person sets the conversation's lane, up or down."""
    if not _seen(s, frozenset()):
        return s, "StaleDecision"
    if to < s.lane and _not_theirs(s, cut, MARIA):
        return s, "AlreadyClaimed"
    after = _told(s, s._replace(floor=max(s.floor, to)), cut)
    answers = tuple(to if to < a < CLOSED else a for a in after.answers)
    return after._replace(floor=min(after.floor, to), answers=answers), PERMIT


def hand_back(s: State, cut: Cut, to: int, by: str = MARIA) -> Answer:
    """The person gives the conversation back at a lane, which is its floor from then on."""
    if not _seen(s, frozenset()):
        return s, "StaleDecision"
    if _not_theirs(s, cut, by):
        return s, "AlreadyClaimed"
    after = _passed_on(s, by, withdraws="hand_back_withdraws" not in cut)
    if "hand_back_floor" not in cut:
        after = _told(after, after._replace(floor=max(after.floor, to)), cut)
    answers = tuple(CLOSED if 0 < a < CLOSED else a for a in after.answers)
    return _settled(after)._replace(floor=min(after.floor, to), answers=answers, holder=None, review=None), PERMIT


def resolve(s: State, cut: Cut, by: str = MARIA) -> Answer:
    """The person ends the work; the floor stays."""
    if not _seen(s, frozenset()):
        return s, "StaleDecision"
    if _not_theirs(s, cut, by):
        return s, "AlreadyClaimed"
    answers = tuple(CLOSED if 0 < a < CLOSED else a for a in s.answers)
    after = _passed_on(s, by, withdraws="resolve_withdraws" not in cut)
    return _settled(after)._replace(answers=answers, holder=None, review=None), PERMIT


def claim(s: State, cut: Cut, by: str = MARIA) -> Answer:
    """The person takes the thread, and what waits to leave does not wait for them to give it free."""
    if _not_theirs(s, cut, by):
        return s, "AlreadyClaimed"
    after = _passed_on(s, by, withdraws="claim_withdraws" not in cut)
    passed = any(
        x.piece == APPROVED and x.state == REFUSED and o.state == INTENT
        for x, o in zip(after.letters, s.letters, strict=True)
    )
    return (_called(after) if passed else after)._replace(holder=by), PERMIT


def release(s: State, cut: Cut, by: str = MARIA) -> Answer:
    """The person gives the thread free."""
    if _not_theirs(s, cut, by):
        return s, "AlreadyClaimed"
    return s._replace(holder=None), PERMIT


def halt(s: State, cut: Cut) -> Answer:
    """Autonomy is stopped at once."""
    if s.halted:
        return s, PERMIT
    letters = tuple(x if x.piece == APPROVED else x._replace(stopped=True) for x in s.letters)
    return s._replace(halted=True, halts=s.halts + 1, letters=letters), PERMIT


def resume(s: State, cut: Cut) -> Answer:
    """The halt ends."""
    return s._replace(halted=False), PERMIT


def policy(s: State, cut: Cut, to: int) -> Answer:
    """Another release is in force."""
    return s._replace(policy=to), PERMIT


def wait(s: State, cut: Cut) -> Answer:
    """So much time passes that every approval runs out."""
    return s._replace(letters=tuple(x._replace(expired=True) if x.yes else x for x in s.letters)), PERMIT


def restamp(s: State, cut: Cut, key: Any) -> Answer:
    """Somebody's mistake stamps a waiting approved letter as current; the approval's own row stays as it is."""
    one = s.letter(key)
    assert one is not None
    return _put(s, one._replace(epoch=s.epoch, revision=s.revision, policy=s.policy)), PERMIT


# ── the post room ───────────────────────────────────────────────────────────────────────────────────────────


def begin(s: State, cut: Cut, key: Any, at: int = 0) -> Answer:
    """The moment of effect: re-read everything, then mark the letter as being sent. ``at`` tells twins apart."""
    twins = [x for x in s.letters if x.key == key]
    one = twins[min(at, len(twins) - 1)]
    if one.state != INTENT and ("begin_state" not in cut or one.state == REFUSED):
        return s, "state"
    rule = PERMIT if "begin_judges" in cut else judge(s, one, cut, proposing=False)
    if rule == PERMIT:
        return _put(s, one._replace(state=SENDING, hand=BEGUN, started=True), one), PERMIT
    after = _put(s, one._replace(state=REFUSED), one)
    if one.piece == APPROVED or (rule != "revision" and one.piece != NOTICE):
        after = _called(after)
    return after, rule


def hand(s: State, cut: Cut, key: Any) -> Answer:
    """The channel takes the letter from a post room that has begun it: the customer has it."""
    for one in s.letters:
        if one.key == key and (one.hand == BEGUN or ("intent_first" in cut and one.state == INTENT)):
            return _put(s, one._replace(hand=HANDED, said=one.said + 1), one), PERMIT
    return s, "nobody"


def record(s: State, cut: Cut, key: Any, to: str) -> Answer:
    """What became of a letter is recorded: sent, failed or unknown; unknown may be cleared up later."""
    one = s.letter(key)
    assert one is not None
    if one.state == to:
        return s, PERMIT
    if one.state not in (SENDING, UNKNOWN):
        return s, "WrongState"
    after = _put(s, one._replace(state=to, hand=NOBODY))
    return (after if to == SENT else _called(after)), PERMIT


def crash(s: State, cut: Cut) -> Answer:
    """Every post room dies; what stood in a hand is known to nobody."""
    return s._replace(letters=tuple(x._replace(hand=NOBODY) for x in s.letters)), PERMIT


def recover(s: State, cut: Cut) -> Answer:
    """A post room starts: each letter left half-way becomes unknown, and a person is called."""
    left = [x for x in s.letters if x.state == SENDING]
    for one in left:
        s = _put(s, one._replace(state=INTENT if "unknown_is_final" in cut else UNKNOWN), one)
    return (_called(s) if left else s), PERMIT


def _put(s: State, one: Letter, old: Letter | None = None) -> State:
    done, letters = False, []
    for x in s.letters:
        here = not done and (x == old if old is not None else x.key == one.key)
        letters.append(one if here else x)
        done = done or here
    return s._replace(letters=tuple(letters))


def _called(s: State) -> State:
    return s if s.review else s._replace(review=Review(None, s.epoch, s.revision))


STEPS: dict[str, Callable[..., Answer]] = {
    f.__name__: f
    for f in (
        *(write, open_answer, raise_floor, close_answer, propose, open_box, call, open_review, look, approve, answer),
        *(change_lane, hand_back, resolve, claim, release, halt, resume, policy, wait, restamp),
        *(begin, hand, record, crash, recover),
    )
}
PERSONS = frozenset({"approve", "answer", "change_lane", "hand_back", "resolve"})
"""The acts by which a lane may fall: each is a person's, signed."""


def step(s: State, act: Act, cut: Cut = frozenset()) -> Answer:
    """The state after an act, and what the act answers."""
    return STEPS[act[0]](s, cut, *act[1:])


# ── every act that is possible in a state, within bounds ────────────────────────────────────────────────────


class Bounds(NamedTuple):
    """How far the model is walked."""

    messages: int = 2
    epochs: int = 3
    halts: int = 1
    letters: int = 2
    refused: int = 1
    policies: tuple[int, ...] = (0, 1, 2)
    box: bool = True


def acts(s: State, bounds: Bounds) -> Iterator[Act]:
    """Everything the adversary, the customer, a person, the clock and a crash may do now."""
    if s.revision + 1 < bounds.messages:
        yield ("write",)
    if s.epoch < bounds.epochs:
        yield from (("open_answer", 1), ("open_answer", 2), ("open_answer", 3))
        yield from (("raise_floor", 1), ("raise_floor", 2), ("raise_floor", 3))
    for at in range(len(s.answers)):
        yield ("close_answer", at)
    yield ("open_review",)
    yield from _persons(s, bounds)
    if not s.halted and s.halts < bounds.halts:
        yield ("halt",)
    elif s.halted:
        yield ("resume",)
    for to in bounds.policies:
        if to != s.policy:
            yield ("policy", to)
    yield from _assistants(s, bounds)
    yield from _posts(s)


def _persons(s: State, bounds: Bounds) -> Iterator[Act]:
    yield from (("claim", by) for by in (MARIA, OONA) if by != s.holder)
    if s.holder is not None:
        yield from (("release", MARIA), ("release", OONA))
    yield ("look",)
    if s.seen is None:
        return
    if len(s.letters) < bounds.letters:
        if s.review:
            yield from (("approve", DRAFT), ("approve", OTHER))
        yield ("answer", OTHER)
    if s.epoch < bounds.epochs:
        yield from (("change_lane", 1), ("change_lane", 2), ("change_lane", 3))
        yield ("hand_back", 3)
    yield ("hand_back", 1)
    yield ("resolve", MARIA)
    if s.holder == OONA or any(x.piece == APPROVED and x.state == INTENT for x in s.letters):
        yield from (("resolve", OONA), ("hand_back", 1, OONA))


_PROPOSALS = (
    (ANSWER, DRAFT, ""),
    (ANSWER, DRAFT, "epoch"),
    (ANSWER, DRAFT, "revision"),
    (ANSWER, DRAFT, "release"),
    (ANSWER, DRAFT, "address"),
    (NOTICE, TEMPLATE, ""),
    (NOTICE, OTHER, ""),
    (APPROVED, OTHER, ""),
)


def _assistants(s: State, bounds: Bounds) -> Iterator[Act]:
    if bounds.box:
        yield ("open_box",)
    room = len(s.letters) < bounds.letters
    if s.box:
        yield from (("call", "draft_reply"), ("call", "suggest_help"), ("call", "approve_refund"))
        if room and len(s.refused) < bounds.refused:
            yield from (("call", "send_answer"), ("call", "send_answer", OTHER), ("call", "release_notice", TEMPLATE))
    if room and len(s.refused) < bounds.refused:
        keys = [x.key for x in s.letters if x.piece != APPROVED][:1]
        for key in (len(s.letters) + len(s.refused), *keys):
            for piece, text, bend in _PROPOSALS:
                if bend != "revision" or s.revision:
                    yield ("propose", key, piece, text, bend)


def _posts(s: State) -> Iterator[Act]:
    approved = waiting = False
    for at, one in enumerate(s.letters):
        twin = sum(x.key == one.key for x in s.letters[:at])
        yield ("begin", one.key, twin)
        if one.hand == BEGUN or one.state == INTENT:
            yield ("hand", one.key)
        if one.state in (SENDING, UNKNOWN):
            waiting = True
            # Only what a hand has given over is known to be sent; the rest is failed or unknown.
            yield ("record", one.key, SENT) if one.said else ("record", one.key, FAILED)
            yield ("record", one.key, UNKNOWN)
        if one.piece == APPROVED and one.state == INTENT:
            approved = True
            yield ("restamp", one.key)
    if waiting:
        yield ("crash",)
        yield ("recover",)
    if approved:
        yield ("wait",)


# ── the invariants ──────────────────────────────────────────────────────────────────────────────────────────


def i1_a_lane_never_falls_but_by_a_person(s: State, act: Act, t: State, said: str) -> str:
    """I1: and in a thread that a person has, by no other."""
    if act[0] in PERSONS and t is not s:
        return _not_as_told(s, act, t)
    if t is s or (t.lane >= s.lane and t.floor >= s.floor and t.epoch >= s.epoch):
        return ""
    return f"{act[0]} lowered lane {s.lane} to {t.lane}, floor {s.floor} to {t.floor}"


def _by(act: Act) -> str:
    return next((x for x in act[1:] if x in (MARIA, OONA)), MARIA)


def _not_as_told(s: State, act: Act, t: State) -> str:
    if act[0] == "hand_back" and t.floor != act[1]:
        return f"handed back at lane {act[1]}, the conversation stands in lane {t.floor}"
    by = _by(act)
    fell = t.lane < s.lane or t.floor < s.floor
    return f"{act[0]} by {by} lowered a thread that {s.holder} has" if fell and s.holder not in (None, by) else ""


def i2_in_lane_3_only_a_released_notice(s: State, act: Act, t: State, said: str) -> str:
    """I2: byte-equal, once an escalation, while nobody has the thread."""
    if (one := _leaves(s, act, said)) is None or one.piece == APPROVED or s.lane < 3:
        return ""
    return _no_notice(s, one) if one.piece == NOTICE else f"lane 3 let {one.piece} leave"


def _no_notice(s: State, one: Letter) -> str:
    if one.text != TEMPLATE:
        return "a text that is no released notice left as one"
    if s.holder is not None:
        return "a notice left in a claimed thread"
    others = [x for x in s.letters if x.piece == NOTICE and x != one and x.counts and x.said]
    return "a second notice left in one escalation" if others else ""


def i3_in_lane_2_only_what_a_person_approved(s: State, act: Act, t: State, said: str) -> str:
    """I3: exactly that text, seen in this epoch and thread revision; notices as in I2."""
    if (one := _leaves(s, act, said)) is None or s.lane < 2:
        return ""
    if one.piece == NOTICE:
        return _no_notice(s, one)
    if one.piece != APPROVED or one.yes is None:
        return f"{one.piece} left in lane {s.lane} without a person's yes"
    if one.text != one.yes.saw_text:
        return "a text left that the person had not seen"
    if (one.yes.saw_epoch, one.yes.saw_revision) != (s.epoch, s.revision) or one.raised or one.wrote:
        return "the person had seen another epoch or another message"
    return ""


def i5_a_right_dies_with_what_it_was_given_for(s: State, act: Act, t: State, said: str) -> str:
    """I5: lane, epoch, revision, policy, expiry, halt and claim; in flight, and in an open executor."""
    if act[0] == "call" and said == PERMIT:
        assert s.box is not None
        if s.box.raised or s.lane not in RIGHTS[act[1]]:
            return f"{act[1]} ran though its right had died"
        observed = act[1] in OBSERVED and not POLICIES[s.box.policy].sends
        return f"{act[1]} ran under a halt or in observe-only" if observed or (act[1] in PIECE_OF and s.halted) else ""
    if s.holder not in (None, t.holder, _by(act)):
        return f"{act[0]} ended {s.holder}'s claim"
    if (one := _leaves(s, act, said)) is None:
        return ""
    dead = [
        name
        for name, is_so in (
            ("address", not one.own_address),
            ("epoch", one.raised),
            ("revision", one.wrote or one.revision != s.revision),
            ("policy", one.policy != s.policy or (one.yes is not None and one.yes.policy != s.policy)),
            ("expiry", one.expired),
            ("a halt, an earlier claim, or the end of the work", one.stopped),
            ("another's claim", one.piece == APPROVED and s.holder not in (None, MARIA)),
        )
        if is_so
    ]
    if one.piece != APPROVED:
        if s.halted:
            dead.append("halt")
        if s.holder is not None:
            dead.append("claim")
        if not POLICIES[s.policy].sends or (s.lane == 1 and not POLICIES[s.policy].family_open):
            dead.append("roll-out")
        if s.lane not in LANES_OF[one.piece]:
            dead.append("lane")
    return f"{one.piece} began to leave though its right had died: {', '.join(dead)}" if dead else ""


def i7_a_text_of_lane_1_is_made_of_approved_words(s: State, act: Act, t: State, said: str) -> str:
    """I7, as far as the executor goes: of the three texts only the draft stands in a source."""
    if act[0] != "call" or said != PERMIT or PIECE_OF.get(act[1]) not in REPLIES or act[2:] in ((), (DRAFT,)):
        return ""
    return f"{act[1]} handed in {act[2]} words, which stand in no approved source"


def i8_at_most_one_delivery_a_reply_key(s: State, act: Act, t: State, said: str) -> str:
    """I8."""
    if act[0] != "hand" or t is s:
        return ""
    times = sum(x.said for x in t.letters if x.key == act[1])
    return f"{times} deliveries under one reply key" if times > 1 else ""


def i9_each_effect_has_an_earlier_intent(s: State, act: Act, t: State, said: str) -> str:
    """I9: proposed, and begun in a committed transaction, before the channel is asked."""
    if act[0] != "hand" or t is s:
        return ""
    ok = any(x.key == act[1] and x.started for x in s.letters)
    return "" if ok else "the channel was asked before the ledger knew"


INVARIANTS: dict[str, Callable[[State, Act, State, str], str]] = {
    "I1": i1_a_lane_never_falls_but_by_a_person,
    "I2": i2_in_lane_3_only_a_released_notice,
    "I3": i3_in_lane_2_only_what_a_person_approved,
    "I5": i5_a_right_dies_with_what_it_was_given_for,
    "I7": i7_a_text_of_lane_1_is_made_of_approved_words,
    "I8": i8_at_most_one_delivery_a_reply_key,
    "I9": i9_each_effect_has_an_earlier_intent,
}


def broken(s: State, act: Act, t: State, said: str) -> tuple[str, str] | None:
    """The first invariant that this step breaks, with what happened; None where all hold."""
    if t is s and said != PERMIT:
        return None
    for name, holds in INVARIANTS.items():
        if what := holds(s, act, t, said):
            return name, what
    return None


def _leaves(s: State, act: Act, said: str) -> Letter | None:
    """The letter that begins to leave by this act."""
    if act[0] != "begin" or said != PERMIT:
        return None
    twins = [x for x in s.letters if x.key == act[1]]
    return twins[min(act[2] if len(act) > 2 else 0, len(twins) - 1)]
