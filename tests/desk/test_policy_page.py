"""Policy at the desk: what stands there, who may act, that each act is the commands' own, and that none is done unseen."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from desk.accounts.people import May, Person, Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.counter import Counter
from desk.errors import ChangedSince, DecisionRefused, NotAllowed
from desk.policy.acts import ACTS, Asked, do
from desk.policy.releases import approve, propose, prove, sign
from desk.policy.standing import mark_of
from desk.security import COOKIE
from desk.settings import load_settings
from desk.workplace import Workplace, open_workplace
from desk.workspace import init
from guards.policy import OwnerGroup
from guards.rollout import Ceiling
from ledger.events import Kind
from ledger.evidence.rollout_gate import promoted_families, record_promotion
from ledger.releases import ReleaseLedger
from ledger.rollout import RolloutLedger

HOSTILE = "<script>window.hit=1</script>'\"&{{7*7}}\u202e"
VERSION = "2026-04-01"
DRAFTS = {"phase": '"assisted"', "autonomous_families": "[]"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    """A new workspace, whose release only watches."""
    init(tmp_path / "ours")
    opened = open_workplace(load_settings(tmp_path / "ours", {}), {})
    yield opened
    opened.store.close()


def propose_release(
    place: Workplace, version: str = VERSION, reason: str = "agents want drafts", **values: str
) -> None:
    """Proposes a copy of the workspace's release, with some of its keys changed."""
    file = place.settings.policy
    assert file is not None
    text = file.read_text(encoding="utf-8")
    for key, value in {"version": f'"{version}"', **(values or DRAFTS)}.items():
        text, times = re.subn(
            rf"^{key} = .*$", lambda _, k=key, v=value: f"{k} = {v}", text, count=1, flags=re.MULTILINE
        )  # type: ignore[misc]
        assert times == 1, key
    made = file.with_name(f"{version}.toml")
    made.write_text(text, encoding="utf-8")
    propose(place, made, "Ines", reason, lambda said: None)


def proven(place: Workplace, version: str = VERSION) -> None:
    """Its proofs hold."""
    assert prove(place, version, lambda release: None, lambda said: None) == 0


class AtTheDesk:
    """Somebody who is signed in, with the forms of the pages they have open."""

    def __init__(self, counter: Counter, name: str, roles: list[str], groups: list[str]) -> None:
        counter.accounts.add(name, "", None, roles, groups)
        token = start_session(counter.accounts, name)
        session = counter.accounts.session(token)
        assert session is not None
        self.csrf = session.csrf
        self.client = TestClient(create_app(counter), follow_redirects=True)
        self.client.cookies.set(COOKIE, token)

    def see(self, path: str = "") -> str:
        answer = self.client.get(f"/desk/policy{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def does(self, act: str, page: str, expect: int = 200, **more: str) -> str:
        """Sends the page's own form of that act, filled in."""
        form = re.search(rf'<form method="post" action="/desk/policy/act/{act}".*?</form>', page, re.DOTALL)
        assert form is not None, f"there is no form for {act}"
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))
        chosen = re.search(r'<select name="version".*?<option value="([^"]+)"', form[0], re.DOTALL)
        if chosen:
            fields["version"] = chosen[1]
        sent = {k: html.unescape(v) for k, v in fields.items()} | {"reason": "because the test says so"} | more
        answer = self.client.post(f"/desk/policy/act/{act}", data=sent)
        assert answer.status_code == expect, answer.text
        return answer.text


@pytest.fixture
def owner(place: Workplace) -> AtTheDesk:
    """A policy owner of support leadership."""
    return AtTheDesk(Counter(place), "Ada", [Role.POLICY_OWNER], ["support_leadership"])


def test_the_page_shows_what_is_in_force_and_what_each_family_may_do(owner: AtTheDesk, place: Workplace) -> None:
    RolloutLedger(place.store).narrow("billing", "overrides", {})
    place.people.halt("outage", sign("Bo", "a storm"))
    page = owner.see()
    assert f"In force: release {place.release.version}" in page and "observe only" in page
    for family in place.release.family:
        assert f"/desk/policy/family?family={family.id}" in page
    assert "overrides, " in page and "by lanewise" in page and "halted by Bo" in page
    assert "held billing to lane 2 (overrides)" in page, "what happened is listed"


def test_a_release_is_approved_activated_and_taken_back_with_names_reasons_and_what_follows(
    owner: AtTheDesk, place: Workplace
) -> None:
    before = place.release.version
    propose_release(place)
    proven(place)
    assert f"/desk/policy/release?version={VERSION}" in owner.see()
    page = owner.see(f"/release?version={VERSION}")
    assert "approval of support_leadership" in page and "rollout phase" in page and "widens" in page
    assert "It cannot be put in force yet" in page and "Nothing is in force by it" in page
    approved = owner.does("approve", page)
    assert "Done: Ada approved release 2026-04-01 for support leadership" in approved
    assert "Nothing: it can be put in force" in approved
    assert f"in force instead of {before}" in approved, "what follows stands before the act"
    active = owner.does("activate", approved)
    assert f"Done: Ada activated release {VERSION}, in place of {before}" in active
    pinned = ReleaseLedger(place.store).in_force()
    assert pinned is not None and (pinned.version, pinned.by) == (VERSION, "Ada")
    back = owner.does("roll-back", owner.see())
    assert f"Done: Ada rolled back to release {before}" in back
    pinned = ReleaseLedger(place.store).in_force()
    assert pinned is not None and pinned.version == before
    acts = [e for e in place.history.house_timeline() if e.kind in (Kind.RELEASE_APPROVED, Kind.RELEASE_ADOPTED)]
    assert [(e.actor, e.body.json()["reason"]) for e in acts if e.body] == [("Ada", "because the test says so")] * 3


def test_what_people_approve_after_an_activation_is_approved_under_the_new_release(
    owner: AtTheDesk, place: Workplace
) -> None:
    counter: Counter = owner.client.app.state.counter  # type: ignore[attr-defined]
    propose_release(place)
    proven(place)
    approve(place, VERSION, "Bo", "support_leadership", "read", lambda said: None)
    owner.does("activate", owner.see(f"/release?version={VERSION}"))
    assert counter.place.release.version == VERSION


@pytest.mark.parametrize("role", [r for r in Role if not Person("x", frozenset({r}), frozenset()).may(May.OWN_POLICY)])
def test_whoever_is_no_policy_owner_reads_and_finds_no_form_and_no_way_around_it(place: Workplace, role: Role) -> None:
    propose_release(place)
    proven(place)
    reader = AtTheDesk(Counter(place), "Rae", [role], ["support_leadership"])
    pages = [reader.see(path) for path in ("", f"/release?version={VERSION}", "/family?family=billing", "/suggestions")]
    assert not any("/desk/policy/act/" in page for page in pages)
    mark = mark_of(place)
    for act in ACTS:
        form = {"csrf": reader.csrf, "mark": str(mark), "version": VERSION, "family": "billing", "to": "narrow"}
        sent = reader.client.post(
            f"/desk/policy/act/{act}", data={**form, "group": "support_leadership", "reason": "I would like to"}
        )
        assert sent.status_code == 403, act
    assert mark_of(place) == mark, "nothing was done"


@pytest.mark.parametrize("act", sorted(ACTS))
def test_an_act_asks_for_the_right_itself_whatever_page_it_comes_from(place: Workplace, act: str) -> None:
    lead = Person("Lea", frozenset(Role) - {Role.POLICY_OWNER}, frozenset(OwnerGroup))
    with pytest.raises(NotAllowed, match="own policy"):
        do(Asked(place, lead, {"mark": str(mark_of(place)), "reason": "I lead", "version": "now"}), act)


def test_only_a_policy_owner_of_the_group_says_yes_for_it(place: Workplace) -> None:
    propose_release(place)
    other = AtTheDesk(Counter(place), "Sol", [Role.POLICY_OWNER], ["security"])
    page = other.see(f"/release?version={VERSION}")
    assert "Waits for a policy owner in this group" in page and "act/approve" not in page
    form = {"csrf": other.csrf, "mark": str(mark_of(place)), "version": VERSION, "group": "support_leadership"}
    sent = other.client.post("/desk/policy/act/approve", data={**form, "reason": "I say so"})
    assert sent.status_code == 403 and "not in the group" in sent.text
    person = Person("Sol", frozenset({Role.POLICY_OWNER}), frozenset())
    with pytest.raises(NotAllowed):
        do(Asked(place, person, {**form, "group": "nobody", "reason": "x"}), "approve")


def test_a_group_whose_members_the_settings_name_takes_nobody_else(place: Workplace) -> None:
    file = place.settings.workspace / "lanewise.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("\n[channel]", '\n[policy.groups]\nsupport_leadership = ["Bo"]\n\n[channel]', 1))
    named = open_workplace(load_settings(place.settings.workspace, {}), {})
    propose_release(named)
    owner = AtTheDesk(Counter(named), "Ada", [Role.POLICY_OWNER], ["support_leadership"])
    page = owner.see(f"/release?version={VERSION}")
    assert "Members by lanewise.toml: Bo" in page and "act/approve" not in page
    named.store.close()


def test_an_act_without_a_reason_or_by_a_form_of_another_page_is_not_done(owner: AtTheDesk, place: Workplace) -> None:
    propose_release(place)
    page, mark = owner.see(f"/release?version={VERSION}"), mark_of(place)
    assert "a reason is needed" in owner.does("approve", page, expect=409, reason="  ")
    owner.does("approve", page, expect=403, csrf="made up")
    assert mark_of(place) == mark


def test_an_act_is_refused_where_somebody_has_done_something_since_its_page_was_made(
    owner: AtTheDesk, place: Workplace
) -> None:
    propose_release(place)
    proven(place)
    approve(place, VERSION, "Bo", "support_leadership", "read", lambda said: None)
    page = owner.see(f"/release?version={VERSION}")
    owner.does("activate", page)
    told = owner.does("activate", page, expect=409)
    assert "somebody has done something about policy" in told
    first = owner.see()
    owner.does("roll-back", first)
    owner.does("roll-back", first, expect=409)
    adopted = [e for e in place.history.house_timeline() if e.kind is Kind.RELEASE_ADOPTED]
    assert len(adopted) == 2, "a form that is sent twice goes neither forth nor back again"
    with pytest.raises(ChangedSince):
        do(Asked(place, Person("Ada", frozenset({Role.POLICY_OWNER}), frozenset()), {"mark": "0"}), "narrow")


def test_what_the_command_refuses_the_page_refuses_and_says_why(owner: AtTheDesk, place: Workplace) -> None:
    propose_release(place, phase='"narrow"', autonomous_families='["billing"]')
    page = owner.see(f"/release?version={VERSION}")
    assert "evidence for the family billing" in page and "a proof that holds" in page
    form = {"csrf": owner.csrf, "mark": str(mark_of(place)), "version": VERSION, "from": "release", "reason": "now"}
    sent = owner.client.post("/desk/policy/act/activate", data=form)
    assert sent.status_code == 409 and "cannot be activated yet" in sent.text
    with pytest.raises(DecisionRefused, match="no act"):
        do(Asked(place, Person("Ada", frozenset({Role.POLICY_OWNER}), frozenset()), {}), "erase")


def test_a_familys_page_says_what_is_missing_and_ends_or_makes_its_holds(owner: AtTheDesk, place: Workplace) -> None:
    before = place.release.version
    page = owner.see("/family?family=billing")
    assert "audited tickets" in page and "60 more, each of them good" in page
    assert "act/promote" not in page and "act/widen" not in page, "there is nothing to record and nothing to end"
    propose_release(place)
    proven(place)
    approve(place, VERSION, "Bo", "support_leadership", "read", lambda said: None)
    owner.does("activate", owner.see(f"/release?version={VERSION}"))
    held = owner.does("roll-back", owner.see("/family?family=billing"))
    assert f"held billing to nothing leaves (rolled back), as release {before} had it" in held
    assert RolloutLedger(place.store).ceilings() == {"billing": Ceiling.NOTHING_LEAVES}
    ended = owner.does("widen", held)
    assert "Done: Ada ended the holds of billing" in ended
    assert RolloutLedger(place.store).ceilings() == {}
    record_promotion(place.store, "billing", "narrow", {}, sign("Ada", "shown"))
    assert promoted_families(place.store) == {"billing": "narrow"} and "narrow</td>" in owner.see()
    form = {"csrf": owner.csrf, "mark": str(mark_of(place)), "from": "family", "family": "billing", "to": "expansion"}
    told = owner.client.post("/desk/policy/act/promote", data={**form, "reason": "ready"})
    assert told.status_code == 200 and "has not earned expansion yet" in told.text
    assert promoted_families(place.store) == {"billing": "narrow"}


def test_a_release_that_cannot_be_read_is_told_and_one_can_still_go_back(owner: AtTheDesk, place: Workplace) -> None:
    before = place.release.version
    propose_release(place)
    proven(place)
    approve(place, VERSION, "Bo", "support_leadership", "read", lambda said: None)
    owner.does("activate", owner.see(f"/release?version={VERSION}"))
    kept = place.settings.workspace / "policies" / f"{VERSION}.toml"
    kept.write_text(kept.read_text(encoding="utf-8") + "# changed", encoding="utf-8")
    answer = owner.client.get("/desk/policy")
    assert answer.status_code == 503 and "was changed" in answer.text
    assert f"rolled back to release {before}" in owner.does("roll-back", answer.text)
    pinned = ReleaseLedger(place.store).in_force()
    assert pinned is not None and pinned.version == before


def test_whoever_works_at_the_desk_sees_which_families_are_held(owner: AtTheDesk, place: Workplace) -> None:
    assert "Held: " not in owner.client.get("/desk").text
    RolloutLedger(place.store).narrow("contract_tier", "overrides", {})
    assert "Held: contract tier" in owner.client.get("/desk").text


def test_looking_for_spikes_tells_that_there_are_none(owner: AtTheDesk, place: Workplace) -> None:
    assert "no family was narrowed" in owner.does("narrow", owner.see())


def test_the_back_test_is_shown_for_what_was_proposed_and_names_no_file_of_this_machine(
    owner: AtTheDesk, place: Workplace
) -> None:
    propose_release(place)
    answer = owner.client.get(f"/desk/policy/backtest?version={VERSION}")
    assert answer.status_code == 200 and "stored decisions" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    file = str(place.settings.policy)
    for wrong in (file, "../lanewise.toml", "2099-01-01", HOSTILE):
        refused = owner.client.get("/desk/policy/backtest", params={"version": wrong})
        assert refused.status_code == 404 and "<script>window" not in refused.text


def test_strangers_words_are_words_on_every_page(owner: AtTheDesk, place: Workplace) -> None:
    shown = HOSTILE.replace("'\"", "")
    propose_release(place, reason=HOSTILE, title=f"'{shown}'", **DRAFTS)
    for path in ("", f"/release?version={VERSION}"):
        page = owner.see(path)
        assert "<script>window" not in page and "&lt;script&gt;window" in page and "\u202e" not in page
    for path in ("/release?version=", "/family?family="):
        refused = owner.client.get(f"/desk/policy{path}{HOSTILE}")
        assert refused.status_code == 404 and "<script>window" not in refused.text
    assert "script-src 'self'" in owner.client.get("/desk/policy").headers["content-security-policy"]


def test_nobody_sees_policy_who_is_not_signed_in(place: Workplace) -> None:
    nobody = TestClient(create_app(Counter(place)), follow_redirects=False)
    for path in ("", "/release?version=x", "/family?family=x", "/backtest?version=x", "/suggestions"):
        assert nobody.get(f"/desk/policy{path}").status_code == 303
