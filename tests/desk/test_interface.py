"""The interface for helpdesks: tickets in, results out, decisions taken elsewhere, and no more than a key may."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from interface_house import Calls, served, ticket

from desk.api import commands
from desk.api.callers import WHY, Scope
from desk.api.webhooks import signature, signing_key
from desk.errors import DecisionRefused, NotAllowed
from ledger.errors import UnknownKey
from ledger.interface import GIVE_UP_AFTER, Interface

READ, WRITE, DECIDE = Scope.TICKETS_READ, Scope.TICKETS_WRITE, Scope.DECISIONS_WRITE
REFUND = "We were down on Tuesday. Please refund last month and move us to the smaller plan."


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """One counter for the tests of this file; each uses tickets of its own."""
    with served(tmp_path_factory.mktemp("interface")) as made:
        yield made


def test_a_ticket_goes_in_and_its_result_comes_out(calls: Calls) -> None:
    calls.show_key(WRITE, READ)
    assert calls.post("/tickets", ticket("A-1", REFUND), 202) == {"ticket": "A-1", "key": "A-1-1", "first": True}
    assert calls.post("/tickets", ticket("A-1", REFUND), 202)["first"] is False
    found = calls.worked_on("A-1")
    assert found["lane"] >= 2
    assert set(found["triggers"]) >= {"policy_sensitivity", "security_identity", "missing_context"}
    assert found["packet"]["summary"]
    assert calls.get("/tickets/A-1/packet") == found["packet"]
    assert next(m["role"] for m in calls.get("/tickets/A-1/thread")) == "customer"
    assert found["review"] in [r["id"] for r in calls.get("/reviews")]
    assert calls.get("/reviews?queue=no-such-queue") == []


def test_a_later_message_joins_its_ticket_and_another_text_under_its_key_is_told(calls: Calls) -> None:
    calls.show_key(WRITE, READ)
    calls.post("/tickets", ticket("A-2", "Where do I find my invoices?"), 202)
    more = {"key": "A-2-2", "text": "And another thing.", "requester": {"email": "ines@fernhollow.example"}}
    assert calls.post("/tickets/A-2/messages", more, 202)["first"] is True
    told = calls.post("/tickets/A-2/messages", {**more, "text": "Something else."}, 409)
    assert "A-2-2" in told["error"]
    assert calls.post("/tickets/nowhere/messages", more, 404)["error"]
    texts = [m["text"] for m in calls.get("/tickets/A-2/thread") if m["role"] == "customer"]
    assert texts == ["Where do I find my invoices?", "And another thing."]


def test_a_decision_taken_elsewhere_passes_the_same_rules(calls: Calls) -> None:
    calls.show_key(WRITE, READ, DECIDE)
    calls.post("/tickets", ticket("A-3", REFUND), 202)
    seen = calls.worked_on("A-3")["seen"]
    answer = {"act": "answer", "by": "Ana", "reason": "she owns it", "key": "d-1", "seen": seen}
    assert "needs text" in calls.post("/tickets/A-3/decisions", answer, 409)["error"]
    words = "Thank you for telling us. I look into both today."
    done = calls.post("/tickets/A-3/decisions", {**answer, "text": words}, 200)
    assert (done["by"], done["first"]) == ("Ana (by helpdesk)", True)
    assert words in done["follows"] and "will leave now, for " in done["follows"], "this process posts"
    again = calls.post("/tickets/A-3/decisions", {**answer, "text": words}, 200)
    assert again["first"] is False, "the same click, sent twice, decides once"
    assert words in calls.left_with(words)
    stale = {**answer, "text": "And more.", "key": "d-2"}
    assert "changed since you looked" in calls.post("/tickets/A-3/decisions", stale, 409)["error"]
    told = calls.get("/tickets/A-3/outcomes")
    assert [o["what"]["decision"] for o in told if "digest" in o["what"]] == ["answered"]


@pytest.mark.parametrize(
    ("act", "more", "told"),
    [
        ("fly", {}, "there is no act"),
        ("route", {}, "needs queue"),
        ("route", {"queue": "nowhere"}, "there is no queue"),
        ("claim", {"lane": 2}, "lane belongs to"),
        ("claim", {"seen": "what I saw"}, "does not say what you had seen"),
        ("correct-triggers", {"levels": {"luck": "high"}}, "is no TRIGGER=LEVEL"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_told_in_words(
    calls: Calls, act: str, more: dict[str, Any], told: str
) -> None:
    calls.show_key(WRITE, READ, DECIDE)
    calls.post("/tickets", ticket("A-4", REFUND), 202)
    seen = calls.worked_on("A-4")["seen"]
    order = {"act": act, "by": "Ana", "reason": "a try", "key": f"try-{act}-{len(told)}", "seen": seen, **more}
    assert told in calls.post("/tickets/A-4/decisions", order, 409)["error"]


def test_each_scope_is_needed_for_what_it_is_for(calls: Calls) -> None:
    vouched = ticket("A-5", "Hello", requester={"email": "a@b.example", "verified": True})
    order = {"act": "refuse", "by": "Ana", "reason": "no", "key": "k", "seen": "e0-r1"}
    decision = {**order, "act": "claim"}
    wanted: list[tuple[Scope, tuple[Scope, ...], str, str, Any]] = [
        (WRITE, (READ,), "POST", "/tickets", ticket("A-5", "Hello")),
        (READ, (WRITE,), "GET", "/reviews", None),
        (Scope.TICKETS_VOUCH, (WRITE,), "POST", "/tickets", vouched),
        (DECIDE, (READ, WRITE), "POST", "/tickets/A-5/decisions", decision),
        (Scope.CHANGES_ORDER, (DECIDE,), "POST", "/tickets/A-5/decisions", order),
        (Scope.WEBHOOKS_WRITE, (READ,), "POST", "/webhooks", {"url": "https://a.example/"}),
    ]
    assert {row[0] for row in wanted} == set(Scope) == set(WHY)
    for scope, others, method, path, body in wanted:
        calls.show_key(*others)
        refused = calls.client.request(method, f"/v1{path}", json=body, headers=calls.headers)
        assert refused.status_code == 403 and scope in refused.json()["error"], path


def test_without_a_key_in_force_nothing_is_answered(calls: Calls) -> None:
    text = calls.show_key(READ)
    for shown in ("", "Bearer", "Bearer x", f"Basic {text}", f"Bearer {text}x", "Bearer lw_zzz_yyy"):
        answer = calls.client.get("/v1/reviews", headers={"Authorization": shown} if shown else {})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    Interface(calls.counter.place.store).revoke(calls.key_id)
    assert calls.client.get("/v1/reviews", headers=calls.headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"id": "A-6"},
        {"id": "A-6", "key": "", "text": "Hello"},
        {"id": "A-6", "key": "k", "text": "Hello", "txet": "Hello"},
        {"id": "A-6", "key": "k", "text": 7},
        {"id": "A-6", "key": "k", "text": "Hello", "requester": {"verified": "yes, please"}},
        {"id": "x" * 500, "key": "k", "text": "Hello"},
        {"id": "A-6", "key": "k", "text": "Hello", "earlier": [{"role": "queen", "text": "."}]},
        ["a list"],
    ],
)
def test_a_field_that_is_missing_misspelt_or_of_another_kind_is_told(calls: Calls, body: Any) -> None:
    calls.show_key(WRITE, READ)
    told = calls.client.post("/v1/tickets", json=body, headers=calls.headers)
    assert told.status_code == 422 and told.json()
    assert calls.client.get("/v1/tickets/A-6", headers=calls.headers).status_code == 404, "nothing was filed"


def test_an_open_review_is_asked_and_answered_in_the_inbox_shape(calls: Calls) -> None:
    calls.show_key(WRITE, READ, DECIDE)
    calls.post("/tickets", ticket("A-7", REFUND), 202)
    calls.worked_on("A-7")
    asked = next(i for i in calls.get("/interrupts") if i["thread_id"] == "A-7")
    [request], [config] = asked["action_requests"], asked["review_configs"]
    assert (request["name"], config["allowed_decisions"]) == ("answer_customer", ["edit"])
    path = f"/interrupts/{asked['id']}/response"
    signed = {"by": "Ana", "key": "i-1", "seen": asked["seen"]}
    edited = {"name": request["name"], "args": {"text": "I call you this afternoon."}}
    for wrong, told in [
        ({"type": "approve"}, "not on offer"),
        ({"type": "edit"}, "an edit names"),
        ({"type": "edit", "edited_action": {**edited, "name": "issue_refund"}}, "an edit names"),
        ({"type": "edit", "edited_action": {**edited, "args": {"text": "Hi", "to": "x"}}}, "an edit names"),
    ]:
        assert told in calls.post(path, {**signed, "decisions": [wrong]}, 409)["error"]
    done = calls.post(path, {**signed, "decisions": [{"type": "edit", "edited_action": edited}]}, 200)
    assert done["decision"] == "answered"
    other = {"decisions": [{"type": "reject"}]}
    assert "decided something else" in calls.post(path, {**signed, **other}, 409)["error"]
    assert "decided already" in calls.post(path, {**signed, **other, "key": "i-2"}, 409)["error"]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", "1969-12-31T00:00:00Z"])
def test_a_moment_beyond_what_calendars_count_is_told_as_a_misspelt_field(calls: Calls, at: str) -> None:
    calls.show_key(WRITE, READ)
    told = calls.post("/tickets", {**ticket("A-99", "Hello"), "received_at": at}, 422)
    assert "received_at" in told["error"]
    assert calls.client.get("/v1/tickets/A-99", headers=calls.headers).status_code == 404


class Receiver:
    """A real HTTP server that keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        got: list[tuple[dict[str, str], bytes]] = []
        answers: list[int] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(answers.pop(0) if answers else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self.got, self.answers = got, answers
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_results_are_told_to_a_receiver_signed_in_order_and_again_where_it_failed(calls: Calls) -> None:
    calls.show_key(WRITE, READ, Scope.WEBHOOKS_WRITE)
    receiver = Receiver()
    receiver.answers.append(500)
    made = calls.post("/webhooks", {"url": receiver.url}, 201)
    calls.post("/tickets", ticket("A-8", REFUND), 202)
    calls.worked_on("A-8")
    deadline = time.monotonic() + 60
    while not any(json.loads(body)["kind"] == "outcome_recorded" for _, body in receiver.got[1:]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    numbers = [int(headers["Lanewise-Event"]) for headers, _ in receiver.got]
    assert numbers[0] == numbers[1], "what was not taken is told again"
    assert numbers[1:] == sorted(set(numbers[1:]))
    headers, body = receiver.got[-1]
    moment = int(headers["Lanewise-Signature"].split(",")[0].removeprefix("t="))
    mine = hmac.new(made["secret"].encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["Lanewise-Signature"] == f"t={moment},v1={mine}" == signature(made["secret"], moment, body)
    assert json.loads(body)["result"]["id"] == "A-8"
    assert [w["id"] for w in calls.get("/webhooks")] == [made["id"]]
    assert "secret" not in str(calls.get("/webhooks")[0]) or calls.get("/webhooks")[0]["secret"] is None
    assert calls.client.delete(f"/v1/webhooks/{made['id']}", headers=calls.headers).status_code == 204
    assert calls.get("/webhooks") == []
    receiver.server.shutdown()
    receiver.server.server_close()


def test_a_receiver_that_never_answers_is_left_in_peace_and_ended_at_last(calls: Calls) -> None:
    calls.show_key(READ)
    interface = Interface(calls.counter.place.store)
    made = interface.add_webhook("https://nowhere.example/", calls.key_id)
    interface.end_webhook(made.id)  # so that the running teller leaves it alone
    pauses = [interface.failed(made.id).next_at for _ in range(GIVE_UP_AFTER)]
    assert pauses == sorted(p for p in pauses if p is not None)
    assert interface.webhook(made.id).ended_at is not None
    assert interface.webhook(made.id).failures == GIVE_UP_AFTER


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/hook",
        "ftp://a.example/",
        "file:///etc/passwd",
        "https://",
        "https://name:word@a.example/",
        "https://a.example/#x",
        "https://a.example/a b",
        "https://a.example:notaport/",
        "http://127.0.0.1.evil.example/",
    ],
)
def test_results_are_sent_to_no_odd_address(calls: Calls, url: str) -> None:
    calls.show_key(READ, Scope.WEBHOOKS_WRITE)
    assert calls.post("/webhooks", {"url": url}, 409)["error"]


def test_without_a_key_to_sign_with_no_receiver_is_made() -> None:
    for secret in ("", "short"):
        with pytest.raises(DecisionRefused, match="32 random characters"):
            signing_key(secret, "w-1")
    assert signing_key("k" * 40, "w-1") != signing_key("k" * 40, "w-2")


def test_keys_are_made_listed_and_revoked_on_the_command_line(calls: Calls) -> None:
    interface, told = Interface(calls.counter.place.store), list[str]()
    assert commands.add(interface, "crm", [READ], told.append) == 0
    text = told[0].split()[0]
    holder = interface.holder(text)
    assert holder is not None and holder.name == "crm"
    assert commands.listed(interface, told.append) == 0
    assert not any(text in line for line in told[1:]), "a key is shown once"
    assert commands.revoke(interface, holder.id, told.append) == 0
    assert interface.holder(text) is None
    for name, scopes in (("crm", ["tickets:eat"]), ("crm", []), ("", [READ])):
        with pytest.raises(NotAllowed):
            commands.add(interface, name, scopes, told.append)
    with pytest.raises(UnknownKey):
        commands.revoke(interface, "nokey", told.append)


def test_letters_of_a_draft_generator_go_nowhere_without_a_decision(calls: Calls, tmp_path: Path) -> None:
    calls.show_key(WRITE, READ)
    before = len(list(calls.letters.glob("*.eml")))
    calls.post("/tickets", ticket("A-9", REFUND), 202)
    found = calls.worked_on("A-9")
    assert [r["piece"] for r in found["replies"]] in ([], ["notice"])
    time.sleep(3)
    after = [f.read_text(encoding="utf-8") for f in calls.letters.glob("*.eml")]
    assert len(after) - before <= 1, "a released notice at most"
