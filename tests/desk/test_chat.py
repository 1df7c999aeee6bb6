"""The customers' chat over its interface: who may read and write, what is shown, and that a wish for a person is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey, RSAKey
from sqlalchemy import func, select
from starlette.testclient import TestClient

from desk.app import create_app
from desk.channels.chat import with_chat
from desk.channels.console import ConsoleChannel
from desk.channels.eml import EmlChannel
from desk.chat.house import STREAMS, WISH, ChatHouse
from desk.chat.identity import Identity, take_key
from desk.chat.refusals import ChatRefused
from desk.counter import Counter
from desk.errors import Rejected, SettingsError
from desk.settings import ChatSection, load_settings
from desk.workplace import open_workplace
from guards.lanes import Lane
from ledger.chats import CONTACTS_A_DAY, Chats, ChatState, Somebody, recipient_of
from ledger.decisions import Signature
from ledger.events import Kind
from ledger.intake import IncomingMessage, Intake
from ledger.result import read_result
from ledger.tables import inbox

KEY = "a-key-that-only-the-hosts-servers-know-1234"
ISSUER = "https://host.example"
HAZEL = {"account_id": "A-1001", "email": "hazel@maplefinch.example", "name": "Hazel Lindqvist"}
SETTINGS = f'[chat]\norigins = ["https://shop.example"]\nissuer = "{ISSUER}"\nmessages_a_minute = 6\nconversations_an_hour = 4\n'


class Page:
    """A customer's page: one conversation, its secret, and who the host page says writes."""

    def __init__(self, client: TestClient, token: str = "") -> None:
        self.client, self.token = client, token
        self.id = self.secret = ""

    @property
    def headers(self) -> dict[str, str]:
        held = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        return {**held, **({"Lanewise-Identity": self.token} if self.token else {})}

    def begin(self) -> Any:
        answer = self.client.post("/chat/conversations", json={}, headers=self.headers)
        if answer.status_code == 201:
            self.id, self.secret = answer.json()["id"], answer.json()["secret"]
        return answer

    def put(self, what: str, **body: Any) -> Any:
        return self.client.post(f"/chat/conversations/{self.id}/{what}", json=body, headers=self.headers)

    def look(self) -> Any:
        return self.client.get(f"/chat/conversations/{self.id}", headers=self.headers)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A counter over the made-up company; its worker stands still, so that nothing happens by itself."""
    (tmp_path / "lanewise.toml").write_text(SETTINGS)
    place = open_workplace(load_settings(tmp_path, {}), {})
    yield Counter(place)
    place.store.close()


@pytest.fixture
def client(counter: Counter) -> TestClient:
    """Not entered: neither worker nor post room runs."""
    return TestClient(create_app(counter, secrets={"LANEWISE_CHAT_KEY": KEY}))


@pytest.fixture
def page(client: TestClient) -> Page:
    """A conversation that was begun."""
    made = Page(client)
    assert made.begin().status_code == 201
    return made


def token(key: Any = KEY, alg: str = "HS256", **claims: Any) -> str:
    now = int(time.time())
    told = {"iss": ISSUER, "aud": "lanewise-chat", "iat": now, "exp": now + 300, **HAZEL, **claims}
    told = {name: value for name, value in told.items() if value is not None}
    return jwt.encode({"alg": alg}, told, OctKey.import_key(key) if isinstance(key, str) else key, algorithms=[alg])


# ── who may read and write ──────────────────────────────────────────────────────────────────────────────────


def test_only_who_holds_the_secret_reads_or_writes_a_conversation(client: TestClient, page: Page) -> None:
    assert page.put("messages", key="key-00001", text="Hello?").status_code == 202
    stranger = Page(client)
    stranger.id = page.id
    other = Page(client)
    other.begin()
    for secret in ("", "guessed", other.secret):
        stranger.secret = secret
        for answer in (
            stranger.look(),
            stranger.put("messages", key="key-00002", text="I am them"),
            stranger.put("person", key="key-00003"),
            stranger.put("contact", email="a@b.example"),
            stranger.put("close", key="key-00004"),
            client.get(f"/chat/conversations/{page.id}/events", headers=stranger.headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
    stranger.id = "chat-" + "0" * 32
    assert stranger.look().json() == {"error": "there is no such conversation, or it is not yours", "code": "unknown"}


def test_the_record_holds_no_secret(counter: Counter, page: Page) -> None:
    page.put("messages", key="key-00001", text="Hello?")
    counter.place.store.forget_erased()
    file = counter.place.settings.ledger_file
    assert file is not None
    raw = b"".join(part.read_bytes() for part in file.parent.glob("ledger.sqlite3*"))
    assert page.id.encode() in raw and page.secret.encode() not in raw


def test_the_same_key_twice_is_one_message_and_with_other_words_it_is_refused(page: Page) -> None:
    assert page.put("messages", key="key-00001", text="Hello?").json() == {"key": "key-00001", "first": True}
    assert page.put("messages", key="key-00001", text="Hello?").json() == {"key": "key-00001", "first": False}
    refused = page.put("messages", key="key-00001", text="Something else")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")
    assert "a key of their own" in refused.json()["error"]
    assert [line["text"] for line in page.look().json()["lines"]] == ["Hello?"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"key": "key-00001", "text": "   "}', "empty"),
        (b'{"key": "k", "text": "Hello"}', "a key is"),
        (b'{"key": "key-00001"}', "text"),
        (b'{"key": "key-00001", "text": 5}', "text"),
        (b'{"key": "key-00001", "text": "Hi", "verified": true}', "verified"),
        (b"[", "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b'{"key": "key-00001", "text": "%s"}' % (b"a" * 8_001), "8000"),
        (b'{"key": "key-00001", "text": "%s"}' % (b"a" * 70_000), "bytes at most"),
    ],
)
def test_a_call_that_is_not_right_is_refused_in_words_and_files_nothing(page: Page, body: bytes, says: str) -> None:
    answer = page.client.post(f"/chat/conversations/{page.id}/messages", content=body, headers=page.headers)
    assert answer.status_code in (400, 413)
    assert says in answer.json()["error"] and len(answer.json()["error"]) < 300
    assert page.look().json()["lines"] == []


def test_half_an_emoji_is_kept_as_a_sign_and_not_refused(page: Page) -> None:
    body = b'{"key": "key-00001", "text": "cut \\ud83d off"}'
    sent = page.client.post(f"/chat/conversations/{page.id}/messages", content=body, headers=page.headers)
    assert sent.status_code == 202
    assert page.look().json()["lines"][0]["text"] == "cut � off"


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_person_is_certain_from_the_answer_to_the_wish_on(counter: Counter, page: Page) -> None:
    page.put("messages", key="key-00001", text="What file types can I upload?")
    assert page.put("person", key="key-00002").status_code == 202
    assert page.put("person", key="key-00002").json()["first"] is False
    # Neither the worker nor any model has run: the wish alone did this.
    register = counter.place.history.register(page.id)
    review = counter.place.reviews.of_ticket(page.id)
    assert register.floor is Lane.HUMAN_OWNED
    assert review is not None and review.why == "person_asked_for" and review.packet is not None
    assert "asked for a person" in str(review.packet.summary[0])
    shown = page.look().json()
    assert (shown["state"], shown["person_asked"], shown["asks_contact"]) == ("asked", True, True)
    assert shown["lines"][-1]["asks_person"] is True


def test_a_wish_for_a_person_stops_what_the_assistant_was_about_to_say(counter: Counter, client: TestClient) -> None:
    page = Page(client)
    page.begin()
    page.put("messages", key="key-00001", text="What file types can I upload?")
    counter.worker.start()
    _until(lambda: bool(counter.place.history.deliveries(page.id)))
    assert page.look().json()["lines"][1:] == [], "what has not left is not shown"
    page.put("person", key="key-00002")
    _until(lambda: _handled(counter, page.id))
    counter.worker.stop()
    counter.worker.join(60)
    letters = counter.place.post_room(_NoMail()).deliver_waiting()
    assert {d.letter.piece.value for d in letters} == {"notice"}
    assert [(line["role"], line["piece"]) for line in page.look().json()["lines"]] == [
        ("customer", ""),
        ("customer", ""),
        ("assistant", "notice"),
    ]
    review = counter.place.reviews.of_ticket(page.id)
    assert review is not None and review.packet is not None and review.packet.lane is Lane.HUMAN_OWNED
    assert review.queue != "unrouted", "the run's own packet, with an owner, has joined the review"


def test_an_answer_leaves_by_the_chat_and_the_customer_closes_and_opens_the_thread(
    counter: Counter, client: TestClient
) -> None:
    page = Page(client)
    page.begin()
    assert page.put("close", key="key-00000").json()["code"] == "nothing_written"
    page.put("messages", key="key-00001", text="What file types can I upload?")
    assert page.look().json()["state"] == "looking"
    counter.worker.start()
    _until(lambda: _handled(counter, page.id))
    counter.worker.stop()
    counter.worker.join(60)
    assert page.look().json()["state"] == "looking", "a text of ours is on its way"
    assert [d.state.value for d in counter.place.post_room(_NoMail()).deliver_waiting()] == ["sent"]
    shown = page.look().json()
    assert shown["state"] == "answered"
    assert [(line["number"], line["role"]) for line in shown["lines"]] == [(1, "customer"), (2, "assistant")]
    assert page.put("close", key="key-00002").status_code == 202
    assert page.look().json()["state"] == "closed"
    page.put("messages", key="key-00003", text="One thing more.")
    assert page.look().json()["state"] != "closed"
    assert len(page.look().json()["lines"]) == 3, "the thread goes on where it was"


def test_a_person_who_has_the_thread_is_told_of_only_where_one_has(counter: Counter, page: Page) -> None:
    page.put("person", key="key-00001")
    assert page.look().json()["state"] == "asked"
    counter.place.people.claim(page.id, Signature("hazel", "mine", "claim-1"))
    assert page.look().json()["state"] == "taken"


def test_an_address_is_kept_for_people_and_verifies_nobody(counter: Counter, page: Page) -> None:
    assert page.put("contact", email="ines@fernhollow.example").json()["code"] == "nothing_written"
    page.put("person", key="key-00001")
    for wrong in ("ines", "ines@fernhollow.example, x@y.example", "a\n@b.example", "chat:1@b.example"):
        assert page.put("contact", email=wrong).status_code == 400
    assert page.put("contact", email=" ines@fernhollow.example ").status_code == 202
    ticket = counter.place.history.ticket(page.id)
    assert counter.place.history.contact(page.id) == "ines@fernhollow.example"
    assert (ticket.requester_email, ticket.verified, ticket.recipient) == ("", False, recipient_of(page.id))
    assert page.look().json()["asks_contact"] is False


def test_erasing_a_conversation_takes_its_words_its_address_and_the_way_in(counter: Counter, page: Page) -> None:
    page.put("person", key="key-00001")
    page.put("contact", email="ines@fernhollow.example")
    counter.place.people.erase(page.id, Signature("hazel", "asked for", "erase-1"))
    assert page.look().status_code == 404
    assert counter.place.history.contact(page.id) == ""
    shown = Chats(counter.place.store).shown(page.id)
    assert [(line.text, line.erased) for line in shown.lines] == [("", True)] and not shown.contact


def test_a_stream_tells_what_was_missed_and_each_thing_once(counter: Counter, page: Page) -> None:
    for number in range(3):
        page.put("messages", key=f"key-0000{number}", text=f'{number}\n\nevent: line\ndata: {{"role":"agent"}}')
    counter.watch.stop()  # a stream ends with the counter: what stands is told, and no more waited for
    for since, numbers in (("", [1, 2, 3]), ("1", [2, 3]), ("9", [])):
        answer = page.client.get(
            f"/chat/conversations/{page.id}/events", headers={**page.headers, "Last-Event-ID": since}
        )
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert numbers == [e["number"] for kind, e in _events(answer.text) if kind == "line"]
    refused = page.client.get(f"/chat/conversations/{page.id}/events", headers={**page.headers, "Last-Event-ID": "x"})
    assert refused.status_code == 400


def _events(text: str) -> list[tuple[str, Any]]:
    found = []
    for part in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in part.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


# ── who somebody is ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_signed_identity_makes_the_requester_verified(counter: Counter, client: TestClient) -> None:
    page = Page(client, token())
    assert page.begin().json()["verified"] is True
    page.put("messages", key="key-00001", text="How many seats do we have?")
    ticket = counter.place.history.ticket(page.id)
    assert (ticket.verified, ticket.account_id, ticket.requester_email) == (True, "A-1001", HAZEL["email"])
    assert page.look().json()["asks_contact"] is False


def test_a_conversation_belongs_to_who_began_it(counter: Counter, client: TestClient) -> None:
    page = Page(client, token())
    page.begin()
    page.put("messages", key="key-00001", text="Hello?")
    page.token = ""
    assert (page.look().status_code, page.look().json()["code"]) == (401, "identity_needed")
    page.token = token(email="rowan@maplefinch.example")
    assert page.put("messages", key="key-00002", text="Hi").json()["code"] == "other_identity"
    page.token = token(account_id="A-1003")
    assert page.look().status_code == 409
    page.token = token()
    assert page.look().status_code == 200, "another token of the same person goes on"
    unknown = Page(client)
    unknown.begin()
    unknown.token = token()
    assert unknown.put("messages", key="key-00003", text="Hi").json()["code"] == "other_identity"
    assert counter.place.history.ticket(page.id).verified


ED = OKPKey.generate_key("Ed25519", private=True)


@pytest.mark.parametrize(
    "made",
    [
        lambda: token(exp=int(time.time()) - 60),
        lambda: token(exp=None),
        lambda: token(iat=None),
        lambda: token(exp=int(time.time()) + 86_400),
        lambda: token(iat=int(time.time()) + 3_600, exp=int(time.time()) + 3_700),
        lambda: token(iss="https://evil.example"),
        lambda: token(aud="another"),
        lambda: token(aud=None),
        lambda: token(email="not an address"),
        lambda: token(email="a@b.example, c@d.example"),
        lambda: token(account_id=""),
        lambda: token(account_id=5),
        lambda: token(key="another-key-that-is-just-as-long-as-ours-1"),
        lambda: token(key=ED, alg="EdDSA"),
        lambda: "eyJhbGciOiJub25lIn0." + token().split(".")[1] + ".",
        lambda: token().rsplit(".", 1)[0] + ".",
        lambda: token() + "x",
        lambda: "not.a.token",
        lambda: "x" * 5_000,
    ],
)
def test_a_token_that_does_not_prove_it_makes_nobody(client: TestClient, made: Any) -> None:
    answer = Page(client, made()).begin()
    assert (answer.status_code, answer.json()["code"]) == (401, "identity")


def test_a_public_key_reads_its_own_signatures_and_is_no_shared_secret() -> None:
    pem = ED.as_pem(private=False).decode()
    identity = Identity(pem, ISSUER, "lanewise-chat", 10)
    assert identity.read(token(key=ED, alg="EdDSA")) == Somebody(**HAZEL)
    assert identity.read(token(key=ED, alg="Ed25519")) == Somebody(**HAZEL)
    # Key confusion: the public key, which everybody may know, used as if it were the shared secret.
    head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode() + "." + token().split(".")[1]
    seal = hmac.new(pem.encode(), head.encode(), hashlib.sha256).digest()
    confused = f"{head}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"
    for forged in (token(), confused):
        with pytest.raises(ChatRefused, match="not accepted"):
            identity.read(forged)


@pytest.mark.parametrize(
    ("key", "issuer", "says"),
    [
        ("short", ISSUER, "shorter than 32"),
        (KEY, "", "chat.issuer"),
        (ED.as_pem(private=True).decode(), ISSUER, "private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", ISSUER, "no Ed25519 public key"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_before_anything_is_served(key: str, issuer: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Identity(key, issuer, "lanewise-chat", 10)


_PEM = ED.as_pem(private=False).decode().strip()
_DER = base64.b64decode("".join(_PEM.splitlines()[1:-1]))
_RSA = RSAKey.generate_key(2048).as_pem(private=False).decode().strip()
_SSH = b"\0\0\0\x0bssh-ed25519\0\0\0 " + _DER[-32:]


@pytest.mark.parametrize(
    "key",
    [
        json.dumps(ED.as_dict(private=False)),
        f"'{json.dumps(ED.as_dict(private=False))}'",
        f'"{_PEM}"',
        _PEM.replace("\n", "\\n"),
        "".join(_PEM.splitlines()[1:-1]),
        "".join(_PEM.splitlines()[1:-1]).replace("+", "-").replace("/", "_").rstrip("="),
        _DER.hex(),
        "".join(_RSA.splitlines()[1:-1]),
        "\\n".join(_RSA.splitlines()[1:-1]),
        "ssh-ed25519 " + base64.b64encode(_SSH).decode(),
        base64.b64encode(_SSH).decode(),
    ],
)
def test_a_public_key_in_any_shape_but_pem_is_no_shared_secret(key: str) -> None:
    with pytest.raises(SettingsError, match=r"key of a pair|no Ed25519 public key"):
        Identity(key, ISSUER, "lanewise-chat", 10)


def test_secrets_as_they_are_made_are_taken() -> None:
    for n in range(200):
        made = hashlib.sha512(str(n).encode()).digest()
        for key in (made.hex(), base64.b64encode(made).decode(), base64.urlsafe_b64encode(made[:32]).decode(), KEY):
            Identity(key, ISSUER, "lanewise-chat", 10)


def test_without_a_key_nobody_is_vouched_for_and_the_key_leaves_the_environment(counter: Counter) -> None:
    with pytest.raises(ChatRefused, match="not set up"):
        ChatHouse(counter, ChatSection()).somebody(token())
    env = {"LANEWISE_CHAT_KEY": f" {KEY}\n", "OTHER": "x"}
    assert take_key(env) == KEY and env == {"OTHER": "x"} and take_key(env) == ""


# ── floods and other pages ──────────────────────────────────────────────────────────────────────────────────


def test_floods_are_held_back_and_a_message_told_again_is_let_in(client: TestClient, page: Page) -> None:
    sent = [page.put("messages", key=f"key-0000{n}", text=f"Message {n}").status_code for n in range(8)]
    assert sent == [202] * 6 + [429] * 2
    refused = page.put("messages", key="key-00009", text="One more")
    assert int(refused.headers["retry-after"]) > 0
    assert page.put("messages", key="key-00003", text="Message 3").status_code == 202
    assert [Page(client).begin().status_code for _ in range(4)] == [201, 201, 201, 429]


def test_a_backlog_asks_customers_to_come_again_and_streams_have_a_bound(counter: Counter, page: Page) -> None:
    house = ChatHouse(counter, ChatSection(backlog=1))
    chat = house.chats.held(page.id, page.secret)
    assert chat is not None
    house.write(chat, "key-00001", "Hello?")
    with pytest.raises(ChatRefused, match="still being read"):
        house.write(chat, "key-00002", "And again")
    another, secret = house.start(None, "198.51.100.7")
    other = house.chats.held(another, secret)
    assert other is not None
    with pytest.raises(ChatRefused, match="very many are writing"):
        house.write(other, "key-00001", "Hello?")
    with house.streaming(page.id):
        house.check_streams(page.id)
        house._streams[page.id] = STREAMS
        with pytest.raises(ChatRefused, match="too many pages"):
            house.check_streams(page.id)


def waiting(counter: Counter) -> int:
    with counter.place.store.read() as conn:
        return conn.execute(select(func.count()).select_from(inbox).where(inbox.c.state == "waiting")).scalar_one()


def test_a_person_is_had_however_much_was_written_before_and_however_much_waits(counter: Counter, page: Page) -> None:
    house = ChatHouse(counter, ChatSection(backlog=2, messages_a_minute=3))
    chat = house.chats.held(page.id, page.secret)
    assert chat is not None
    for n in range(3):
        with suppress(ChatRefused):
            house.write(chat, f"key-0000{n}", "Hello?")
    with pytest.raises(ChatRefused):
        house.write(chat, "key-00009", "And again")
    assert house.write(chat, "person-00001", WISH, asks_person=True).first
    assert counter.place.history.register(page.id).floor is Lane.HUMAN_OWNED
    assert not house.write(chat, "person-00001", WISH, asks_person=True).first
    with pytest.raises(ChatRefused):
        house.write(chat, "person-00002", WISH, asks_person=True)
    another, secret = house.start(None, "198.51.100.7")
    other = house.chats.held(another, secret)
    assert other is not None
    with pytest.raises(ChatRefused, match="very many"):
        house.write(other, "key-00001", "Hello?")
    assert house.write(other, "person-00001", WISH, asks_person=True).first


def test_closing_again_and_again_is_one_closing_until_something_is_written(counter: Counter, page: Page) -> None:
    page.put("messages", key="key-00001", text="Hello?")
    assert {page.put("close", key=f"key-1{n:04}").status_code for n in range(20)} == {202}
    assert waiting(counter) == 2
    assert page.put("messages", key="key-00002", text="One more").status_code == 202
    assert page.put("close", key="key-20000").status_code == 202
    assert waiting(counter) == 4
    assert [page.put("messages", key=f"key-0000{n}", text="Again").status_code for n in (3, 4)] == [202, 202]
    assert page.put("close", key="key-30000").status_code == 429
    assert waiting(counter) == 6


def test_a_closing_under_the_key_of_a_message_is_refused_in_words(page: Page) -> None:
    page.put("messages", key="close-key-0001", text="Hello?")
    refused = page.put("close", key="key-0001")
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")


def test_an_address_is_corrected_a_few_times_a_day_and_then_the_last_one_stands(counter: Counter, page: Page) -> None:
    page.put("messages", key="key-00001", text="Hello?")
    given = [page.put("contact", email=f"a{n}@b.example").status_code for n in range(8)]
    assert given == [202] * CONTACTS_A_DAY + [429] * (8 - CONTACTS_A_DAY)
    assert page.put("contact", email="a4@b.example").status_code == 202
    assert counter.place.history.contact(page.id) == "a4@b.example"


def test_messages_that_come_at_once_do_not_pass_the_limit_together(counter: Counter, page: Page) -> None:
    house = ChatHouse(counter, ChatSection(messages_a_minute=3))
    chat = house.chats.held(page.id, page.secret)
    assert chat is not None
    together = Barrier(8)

    def one(n: int) -> bool:
        together.wait()
        try:
            return house.write(chat, f"key-1000{n}", f"Message {n}").first
        except ChatRefused:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 3


def test_one_conversation_and_one_address_fill_only_their_share_of_what_waits(counter: Counter) -> None:
    house = ChatHouse(counter, ChatSection(backlog=100, messages_a_minute=100, conversations_an_hour=100))

    def filed(address: str) -> int:
        chat = house.chats.held(*house.start(None, address))
        assert chat is not None
        for n in range(9):
            try:
                house.write(chat, f"key-0000{n}", "Hello?")
            except ChatRefused:
                return n
        return 9

    assert [filed("198.51.100.7") for _ in range(6)] == [2, 2, 2, 2, 2, 0]
    assert filed("198.51.100.8") == 2


def test_only_named_pages_may_call_from_another_origin(client: TestClient) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = client.options("/chat/conversations", headers={"Origin": "https://shop.example", **asking})
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-credentials" not in allowed.headers
    refused = client.options("/chat/conversations", headers={"Origin": "https://evil.example", **asking})
    assert "access-control-allow-origin" not in refused.headers
    desk = client.get("/sign-in", headers={"Origin": "https://shop.example"})
    assert "access-control-allow-origin" not in desk.headers


def test_the_page_for_trying_is_there_for_the_made_up_company(client: TestClient) -> None:
    shown = client.get("/try?as=hazel")
    assert shown.status_code == 200 and 'identity-url="/try/identity/hazel"' in shown.text
    page = Page(client, client.get("/try/identity/hazel").text)
    assert page.begin().json()["verified"] is True
    assert client.get("/try/identity/nobody").status_code == 404
    words = client.get("/chat/words/ar").json()
    assert set(words) == set(client.get("/chat/words/de").json()) == set(client.get("/chat/words/fr").json())
    assert client.get("/chat/words/..").status_code == 404 and client.get("/chat/words/xx").json() == {}


# ── the channel ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_letter_goes_where_its_own_ticket_is_answered(counter: Counter, page: Page, tmp_path: Path) -> None:
    store = counter.place.store
    ways = with_chat(EmlChannel(tmp_path / "out", "support@lanewise.example"), store)
    page.put("messages", key="key-00001", text="Hello?")
    for recipient in (recipient_of(page.id), recipient_of("chat-unknown"), "chat:", "chat:x@y.example"):
        with pytest.raises(Rejected):  # no such conversation, or no letter of that key in it
            ways.deliver("key", recipient=recipient, subject="s", body="b", headers={})
    assert ways.deliver("key", recipient="ines@fernhollow.example", subject="s", body="b", headers={}).startswith("<")
    assert len(list((tmp_path / "out").glob("*.eml"))) == 1


def test_a_mail_that_claims_a_conversation_as_its_sender_reaches_nobody(counter: Counter, page: Page) -> None:
    page.put("messages", key="key-00001", text="Hello?")
    Intake(counter.place.store).receive(
        IncomingMessage("M-1", "m", "email", "", "", "", False, None, recipient_of(page.id), "Please answer there")
    )
    counter.place.people.claim("M-1", Signature("hazel", "mine", "c"))
    with pytest.raises(Rejected, match="another ticket"):
        with_chat(_NoMail(), counter.place.store).deliver(
            "key", recipient=recipient_of(page.id), subject="", body="", headers={}
        )
    assert len(page.look().json()["lines"]) == 1


def test_states_are_read_off_the_record_alone(counter: Counter, page: Page) -> None:
    assert page.look().json()["state"] == ChatState.NEW.value
    page.put("messages", key="key-00001", text="Hello?")
    kinds = {event.kind for event in counter.place.history.timeline(page.id)}
    assert kinds == {Kind.CUSTOMER_WROTE} and page.look().json()["state"] == ChatState.LOOKING.value


class _NoMail(ConsoleChannel):
    """Mail is never asked for in these tests."""

    def __init__(self) -> None:
        pass

    def deliver(self, reply_key: str, **_: Any) -> str:
        raise AssertionError("a letter of the chat went to mail")


def _handled(counter: Counter, ticket: str) -> bool:
    return ticket not in Intake(counter.place.store).tickets_with_work() and ticket not in counter.worker.busy


def _until(done: Any, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────


def send_file(page: Page, name: str, what: bytes, key: str = "file-0001") -> Any:
    """As the widget sends one."""
    params = {"key": key, "name": name}
    return page.client.post(f"/chat/conversations/{page.id}/files", params=params, content=what, headers=page.headers)


def test_a_file_is_kept_for_a_person_and_named_in_the_thread_once(counter: Counter, page: Page) -> None:
    page.put("messages", key="key-00001", text="It looks like this:")
    assert send_file(page, "shot \u202egnp.png", b"\x89PNG" + b"x" * 2_000_000).json()["first"] is True
    assert send_file(page, "shot \u202egnp.png", b"something else").json()["first"] is False
    shown = page.look().json()["lines"]
    assert [line["text"] for line in shown] == ["It looks like this:", "\N{PAPERCLIP} shot gnp.png"]
    message = counter.place.history.thread(page.id)[-1]
    (kept,) = message.attachments
    assert kept.startswith("shot gnp.png (kept as .lanewise/attachments/")
    file = counter.place.settings.workspace / kept.partition("(kept as ")[2].removesuffix(")")
    assert file.stat().st_size == 2_000_004, "what came first under a key stands"
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "what", "key", "status", "code"),
    [
        ("run.exe", b"MZ", "file-0001", 415, "kind"),
        ("page.html", b"<script>", "file-0001", 415, "kind"),
        ("picture.svg", b"<svg>", "file-0001", 415, "kind"),
        ("png", b"x", "file-0001", 415, "kind"),
        ("a.png.sh", b"x", "file-0001", 415, "kind"),
        ("empty.png", b"", "file-0001", 400, "bad_call"),
        ("large.png", b"x" * 5_000_001, "file-0001", 413, "too_long"),
        ("larger.png", b"x" * 20_000_001, "file-0001", 413, None),
        ("a.png", b"x", "k", 400, "bad_call"),
    ],
)
def test_a_file_of_another_kind_or_size_is_refused_and_nothing_of_it_is_kept(
    counter: Counter, page: Page, name: str, what: bytes, key: str, status: int, code: str | None
) -> None:
    page.put("messages", key="key-00001", text="Hello?")
    told = send_file(page, name, what, key)
    assert told.status_code == status and (code is None or told.json()["code"] == code)
    assert len(page.look().json()["lines"]) == 1
    assert not list((counter.place.settings.workspace / ".lanewise" / "attachments").rglob("*.*"))


def test_a_conversation_holds_so_many_files_and_no_more_and_a_stranger_none(
    counter: Counter, client: TestClient, page: Page
) -> None:
    page.put("messages", key="key-00001", text="Hello?")
    house: ChatHouse = client.app.state.chat  # type: ignore[attr-defined]
    house.settings = house.settings.model_copy(update={"file_megabytes": 1, "messages_a_minute": 100})
    sent = [send_file(page, f"{n}.png", b"x" * 900_000, f"file-000{n}").status_code for n in range(6)]
    assert sent == [202] * 5 + [413]
    stranger = Page(client)
    stranger.id, stranger.secret = page.id, "guessed"
    assert send_file(stranger, "a.png", b"x").status_code == 404
    house.settings = house.settings.model_copy(update={"file_megabytes": 0})
    assert send_file(page, "a.png", b"x", "file-0009").json()["code"] == "no_files"


def test_a_message_with_a_file_is_never_answered_by_the_machine_alone(counter: Counter, client: TestClient) -> None:
    page = Page(client)
    page.begin()
    page.put("messages", key="key-00001", text="What file types can I upload?")
    send_file(page, "list.png", b"\x89PNG")
    counter.worker.start()
    _until(lambda: _handled(counter, page.id))
    counter.worker.stop()
    counter.worker.join(60)
    register, review = counter.place.history.register(page.id), counter.place.reviews.of_ticket(page.id)
    assert register.lane is not Lane.AUTONOMOUS and review is not None and review.packet is not None
    told = read_result(counter.place.history, counter.place.reviews, page.id).to_json()
    assert "unread_attachment" in str(told["triggers"]), "what nobody has read is missing context"


def test_the_widget_is_under_twenty_thousand_bytes_and_has_its_words_in_each_language(client: TestClient) -> None:
    widget = client.get("/static/lanewise/chat.js")
    assert len(widget.content) < 20_000
    named = set(re.findall(r"\bw\.(\w+)|#w\.(\w+)", widget.text))
    used = {a or b for a, b in named}
    for language in ("de", "fr", "ar"):
        told = client.get(f"/chat/words/{language}").json()
        assert used <= set(told), (language, used - set(told))
