"""Every count of the scorecard leads to the list of its tickets, and the list to the ticket; the file leads nowhere."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk_house import TICKET, Clock, House
from sqlalchemy import insert
from starlette.testclient import TestClient
from test_auditing import NO, YES, Office

from desk.accounts.people import Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.counter import Counter
from desk.made_up_marks import MARK, NOTE
from desk.operators import inbox as operator_inbox
from desk.scoring import Asked, page_of
from desk.security import COOKIE
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.summary import COLUMNS, Summary
from ledger.store import open_store
from ledger.tables import ticket_summaries

START = datetime(2025, 12, 1, 9, tzinfo=UTC)
HOSTILE = "<script>window.hit=1</script>&of=x'\"=é"


def row(n: int) -> dict[str, object]:
    """One made-up ticket, as a summary; a few of them with a stranger's words for names."""
    chance = random.Random(n)
    one = Summary(f"M-{n:04d}" if n else f"M-0 {HOSTILE}", policy="2026-03-01", segment="smb")
    one.family = chance.choice(["billing", "security", ""])
    one.tier = chance.choice(["team", HOSTILE])
    one.opened_at = START + timedelta(days=n // 4, minutes=n)
    one.opened_on = one.settled_on = one.opened_at.date().isoformat()
    one.consequence = chance.choice(["low", "medium", "high"])
    one.first_lane = one.lane = chance.choice([1, 1, 2, 3])
    one.by_assistant, one.late = one.lane == 1, one.lane > 1 and chance.random() < 0.2
    one.wrote_again = int(chance.random() < 0.2)
    one.decided = one.lane > 1
    one.draft = chance.choice(["as_is", "edited", "instead", "rejected"]) if one.lane == 2 else ""
    one.edited = chance.choice([50, 600]) if one.draft == "edited" else None
    one.read_seconds = chance.choice([3, 90]) if one.draft == "as_is" else None
    one.lane_override = chance.choice(["", "", "up"]) if one.decided else ""
    one.path_override, one.uncovered = one.decided and chance.random() < 0.2, chance.random() < 0.2
    one.rating = chance.choice(["", "saved_time", "repeated_the_ticket"]) if one.decided else ""
    one.specialist, one.queue = one.lane == 3, "security_team" if one.lane == 3 else ""
    one.routed_to = "contract_desk" if one.specialist and chance.random() < 0.4 else ""
    one.mark()
    return {name: getattr(one, name) for name in COLUMNS}


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A desk over one real ticket and a few hundred made-up summaries."""
    settings = load_settings(tmp_path, {})
    store = open_store(tmp_path / "ledger.sqlite3", clock=Clock())
    house = House(store, Clock())
    house.customer_writes()
    house.ask("Hello, that is the next billing date.")
    catch_up(store)
    with store.write() as conn:
        conn.execute(insert(ticket_summaries), [row(n) for n in range(300)])
    made = Counter(Workplace(settings, store, open_rules(settings, {})))
    made.accounts.add("Aud", "", None, [Role.AUDITOR])
    yield made
    store.close()


@pytest.fixture
def client(counter: Counter) -> TestClient:
    """Somebody who is signed in."""
    made = TestClient(create_app(counter), follow_redirects=False)
    made.cookies.set(COOKIE, start_session(counter.accounts, "Aud"))
    return made


LINK = re.compile(r'<a [^>]*?href="(/desk/scorecard/tickets\?[^"]*)"[^>]*>(.*?)</a>', re.DOTALL)


def links(page: str) -> list[tuple[str, str]]:
    """(address, what the link says) of every link to a list."""
    return [(html.unescape(at), said) for at, said in LINK.findall(page)]


def count_of(client: TestClient, address: str) -> int:
    """How many tickets the list says that it has; each of its rows leads to a ticket."""
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.text)
    told = re.search(r'<b id="count">(\d+)</b>', answer.text)
    assert told is not None
    assert answer.text.count('<th scope="row"><a href="/desk?ticket=') == min(50, int(told[1]))
    return int(told[1])


def test_every_count_of_the_page_leads_to_a_list_of_exactly_so_many_tickets(client: TestClient) -> None:
    page = client.get("/desk/scorecard?by=family").text
    found = links(page)
    numbers = [(at, int(told[1])) for at, said in found if (told := re.match(r"(\d+)( alike)?$", said))]
    assert len(numbers) > 120
    assert [(at, n) for at, n in numbers if count_of(client, at) != n] == []
    assert any("all losses" in said for _, said in found)


def test_every_bar_and_point_of_the_pictures_leads_to_the_tickets_of_its_month(client: TestClient) -> None:
    pictures = [
        (at, re.search(r"<title>[^<]*?(\d+) of (\d+)", said))
        for at, said in links(client.get("/desk/scorecard?by=tier").text)
        if "<title>" in said
    ]
    assert len(pictures) > 30
    for at, told in pictures[::3]:
        assert told is not None and "month=" in at
        assert count_of(client, at) == int(told[1]), at


def test_a_list_leads_on_to_the_ticket_at_the_desk(client: TestClient) -> None:
    listed = client.get("/desk/scorecard/tickets?tickets=lane_1&part=among").text
    assert NOTE not in listed
    addresses = re.findall(r'<a href="(/desk\?ticket=[^"]+)"', listed)
    assert f"/desk?ticket={TICKET}" in addresses or len(addresses) == 50
    opened = client.get(f"/desk?ticket={TICKET}")
    assert opened.status_code == 200 and "Where do I add seats?" in opened.text


def test_a_list_is_split_into_pages_that_keep_what_was_asked_for(client: TestClient) -> None:
    first = client.get("/desk/scorecard/tickets?tickets=lane_1&part=among&of=family=billing").text
    following = html.unescape(re.search(r'rel="next" href="([^"]+)"', first)[1])  # type: ignore[index]
    second = client.get(f"/desk/scorecard/tickets{following}").text
    ids = [set(re.findall(r'href="/desk\?ticket=([^"]+)"', page)) for page in (first, second)]
    assert ids[0] and ids[1] and not ids[0] & ids[1]
    assert "page 2 of" in second and "billing" in second


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("tickets=deflection", "no metric"),
        ("tickets=lane_1&part=half", "no part"),
        ("tickets=lane_1&of=weather=rain", "names no group"),
        ("tickets=lane_1&since=yesterday", "is no day"),
        ("tickets=lane_1&month=May", "no month"),
        ("warning=bad_family&group=billing", "not there any more"),
        ("warning=bad_family&part=half", "no part"),
        ("", "no metric"),
    ],
)
def test_what_cannot_be_listed_is_named(client: TestClient, asked: str, said: str) -> None:
    answer = client.get(f"/desk/scorecard/tickets?{asked}")
    assert answer.status_code == 422
    assert said in answer.text


def test_strangers_words_are_words_on_both_pages_and_in_their_addresses(client: TestClient) -> None:
    page = client.get("/desk/scorecard?by=tier").text
    assert "<script" not in page and "&lt;script&gt;" in page
    address = next(at for at, _ in links(page) if "script" in at)
    listed = client.get(address)
    assert listed.status_code == 200 and "<script>window" not in listed.text
    assert "script-src 'self'" in listed.headers["content-security-policy"]


def test_nobody_looks_at_the_tickets_of_a_figure_who_is_not_signed_in(counter: Counter) -> None:
    nobody = TestClient(create_app(counter), follow_redirects=False)
    assert nobody.get("/desk/scorecard/tickets?tickets=lane_1").status_code == 303


def test_a_lane_that_somebody_is_to_name_first_is_not_shown_in_a_list(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/desk/scorecard/tickets?tickets=lane_2&part=among&since=2026-03-10"
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    seen = client.get(address).text
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    hidden = client.get(address).text
    row_of = re.compile(rf"<tr>(?:(?!</tr>).)*ticket={TICKET}\"(?:(?!</tr>).)*</tr>", re.DOTALL)
    if (one := row_of.search(seen)) is None:
        pytest.fail("the open ticket is in the list")
    assert "lane-3" in one[0]
    assert "not shown" in row_of.search(hidden)[0]  # type: ignore[index]


def test_the_page_that_is_a_file_has_no_link_and_no_form(counter: Counter) -> None:
    kept = page_of(counter.place, Asked())
    assert "<a " not in kept and "href" not in kept and "<form" not in kept
    assert "alike" in kept and "the newest tickets counted" in kept


def test_the_split_and_the_period_are_chosen_on_the_page(client: TestClient) -> None:
    whole, split = client.get("/desk/scorecard").text, client.get("/desk/scorecard?by=consequence").text
    for name in ("family", "tier", "segment", "consequence", "release"):
        assert f"<summary>by {name}</summary>" in whole
        assert f'<option value="{name}"' in whole
        assert (f"<summary>by {name}</summary>" in split) is (name == "consequence")
    assert '<option value="consequence" selected>' in split
    kept = client.get("/desk/scorecard?since=2026-01-01&until=2026-01-31").text
    assert 'name="since" value="2026-01-01"' in kept
    assert all("since=2026-01-01" in at for at, _ in links(kept) if "warning=" not in at)
    assert "/desk/scorecard.csv?since=2026-01-01&amp;until=2026-01-31" in kept
    assert client.get("/desk/scorecard?by=weather").status_code == 422


def test_the_audited_tickets_behind_the_misses_are_a_list_too(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.drawn("T-1", "T-2", "T-3")
    office.judged("2026-W10-001", YES)
    office.judged("2026-W10-002", NO)
    settings = load_settings(tmp_path, {})
    counter = Counter(Workplace(settings, office.records.store, open_rules(settings, {})))
    counter.accounts.add("Aud", "", None, [Role.AUDITOR])
    client = TestClient(create_app(counter))
    client.cookies.set(COOKIE, start_session(counter.accounts, "Aud"))
    page = client.get("/desk/scorecard").text
    (found,) = [(at, said) for at, said in links(page) if "audited=" in at]
    assert found[1] == "2" and count_of(client, found[0]) == 2, "the third is not judged yet"
    office.records.store.close()


def test_a_made_up_history_says_so_on_the_list_too(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / MARK).parent.mkdir(exist_ok=True)
    (tmp_path / MARK).write_text(NOTE, encoding="utf-8")
    for path in ("/desk/scorecard", "/desk/scorecard/tickets?tickets=lane_1", "/desk", "/sign-in", "/nowhere"):
        assert NOTE in client.get(path).text, path
