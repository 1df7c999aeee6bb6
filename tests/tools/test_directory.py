"""A team's folder of files: a bad row is named by file and line, and never passes for an absent one."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guards.facts import Facts, Standing
from guards.policy import Freshness
from tools.directory import Directory, open_directory
from tools.errors import BadRecord, SystemUnavailable, UnreadableFile
from tools.lookups import Request, gather_facts
from tools.sandbox import company_folder
from tools.systems import AccountRecord

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
FRESH = Freshness(accounts=30, contracts=90, entitlements=7, changes=7, credits=30, incidents=2, contacts=30)
FILES = (
    "accounts.csv", "people.csv", "contracts.json", "entitlements.csv", "changes.csv", "credits.csv", "incidents.json",
    "contacts.csv", "queues.toml",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(company_folder(), tmp_path / "company", ignore=shutil.ignore_patterns("knowledge_bad"))
    return tmp_path / "company"


def _problems(folder: Path) -> list[str]:
    return [str(problem) for problem in open_directory(folder).problems()]


def _only(folder: Path) -> BadRecord:
    problems = open_directory(folder).problems()
    assert len(problems) == 1, [str(p) for p in problems]
    return problems[0]


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1))


def _line(file: Path, part: str) -> int:
    return next(n for n, line in enumerate(file.read_text().splitlines(), 1) if part in line)


async def _facts(directory: Directory, email: str) -> Facts:
    return await gather_facts(directory.systems(), Request(email, verified=True), FRESH, NOW, 1.0)


def test_the_made_up_company_has_no_problems(folder: Path) -> None:
    assert _problems(folder) == []
    systems = open_directory(folder).systems()
    assert systems.company.today == NOW
    assert systems.queue("contract_desk") is not None
    assert systems.queue("contract_desk").first_reply_hours is None  # type: ignore[union-attr]
    assert len(systems.queues) == 9
    assert len(systems.macros) == 10


def test_a_folder_that_does_not_exist_is_said_to(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="lanewise init"):
        open_directory(tmp_path / "nowhere")


def test_an_empty_folder_lacks_only_its_company(tmp_path: Path) -> None:
    assert _problems(tmp_path) == [
        "company.toml: the file is missing. Write it; `lanewise init` makes one to start from."
    ]


@pytest.mark.parametrize("file", FILES)
async def test_a_file_that_is_absent_leaves_its_facts_missing(folder: Path, file: str) -> None:
    (folder / file).unlink()
    directory = open_directory(folder)
    facts = await _facts(directory, "mina@kestrel-analytics.example")
    name = {
        "accounts.csv": "account.tier",
        "people.csv": "requester.role",
        "contracts.json": "contract.reference",
        "entitlements.csv": "entitlements.on_record",
        "changes.csv": "changes.recent_role_change",
        "credits.csv": "credits.issued_recently",
        "incidents.json": "incidents.affecting",
        "contacts.csv": "contacts.unresolved",
    }.get(file)
    if name:
        assert facts.get(name).standing is Standing.MISSING
    if file == "people.csv":
        assert facts.value("account.tier") == "team", "the verified mail domain still tells the account"
    if file == "contracts.json":
        assert "contracts.json is not in the folder" in facts.get("contract.reference").note


# ── what can be wrong with a row ────────────────────────────────────────────────────────────────────────────

BAD_CELLS = [
    ("accounts.csv", "team monthly,yes,smb,us,active,12", "team monthly,perhaps,smb,us,active,12", "standard_plan"),
    ("accounts.csv", "active,12,,2026-03-10T05:00:00Z", "active,twelve,,2026-03-10T05:00:00Z", "seats"),
    ("accounts.csv", "active,12,,2026-03-10T05:00:00Z", "active,-1,,2026-03-10T05:00:00Z", "seats"),
    ("accounts.csv", "active,12,,2026-03-10T05:00:00Z", "active,12,,last week", "as_of"),
    ("people.csv", "hazel@maplefinch.example,Hazel", "hazel at maplefinch,Hazel", "email"),
    ("credits.csv", "1150.00,USD", "a lot,USD", "amount"),
    ("credits.csv", "1150.00,USD", "nan,USD", "amount"),
    ("credits.csv", "1150.00,USD", "1150.00,dollars", "currency"),
    ("contacts.csv", "Template would not lock,yes", "Template would not lock,maybe", "resolved"),
    ("changes.csv", "A-1001,2025-10-06T13:20:00Z", "A-1001,2025-13-40", "at"),
    ("entitlements.csv", "A-1001,storage,yes,100,29", "A-1001,storage,yes,lots,29", "limit"),
    ("contracts.json", '"cycle_start": "2026-02-18"', '"cycle_start": "18 February"', "cycle_start"),
    ("contracts.json", '"billing_cycle": "monthly"', '"billing_cycle": "weekly"', "billing_cycle"),
    ("contracts.json", '"status": "reflected"', '"status": "done"', "amendments.0.status"),
    ("contracts.json", '"reference": "STD-TEAM-1001"', '"reference": "X", "discount": "10%"', "discount"),
    ("incidents.json", '"status": "resolved"', '"status": "over"', "status"),
    ("incidents.json", '"title": "Sync jobs failing for storage connectors",', "", "title"),
    ("queues.toml", "first_reply_hours = 8", "first_reply_hours = 0", "first_reply_hours"),
    ("queues.toml", 'group = "frontline"', 'group = "front"', "group"),
]


@pytest.mark.parametrize(("file", "old", "new", "column"), BAD_CELLS, ids=lambda value: str(value)[:20])
def test_a_bad_cell_is_named_by_file_line_column_and_remedy(
    folder: Path, file: str, old: str, new: str, column: str
) -> None:
    path = folder / file
    _replace(path, old, new)
    problem = next(p for p in open_directory(folder).problems() if p.file == file)
    assert problem.column == column
    assert problem.line is not None
    assert problem.what
    assert problem.remedy
    if file.endswith(".csv"):
        assert problem.line == _line(path, new)
    else:
        begins = _line(path, new.splitlines()[0]) if new else problem.line
        assert begins - 20 < problem.line <= begins


async def test_a_bad_row_does_not_pass_for_an_absent_one(folder: Path) -> None:
    _replace(folder / "contracts.json", '"reference": "STD-TEAM-1011"', '"reference": ""')
    _replace(
        folder / "changes.csv", "A-1011" if "A-1011" in (folder / "changes.csv").read_text() else "A-1001", "A-1001"
    )
    directory = open_directory(folder)
    facts = await _facts(directory, "mina@kestrel-analytics.example")
    assert facts.get("contract.reference").standing is Standing.MISSING
    assert "contracts.json, line" in facts.get("contract.reference").note
    others = await _facts(directory, "hazel@maplefinch.example")
    assert others.value("contract.reference") == "STD-TEAM-1001", "other accounts are not held up by it"


async def test_a_row_whose_account_cannot_be_read_may_belong_to_anybody(folder: Path) -> None:
    with open(folder / "credits.csv", "a") as file:
        file.write(",2026-03-01T10:00:00Z,service_credit,10.00,USD,unknown,,\n")
    facts = await _facts(open_directory(folder), "mina@kestrel-analytics.example")
    assert facts.get("credits.issued_recently").standing is Standing.MISSING
    assert "credits.csv, line 6, account_id" in facts.get("credits.issued_recently").note


async def test_two_rows_for_one_account_are_believed_neither(folder: Path) -> None:
    row = next(line for line in (folder / "accounts.csv").read_text().splitlines() if line.startswith("A-1011"))
    with open(folder / "accounts.csv", "a") as file:
        file.write(row.replace("team annual", "business annual").replace(",team,", ",business,") + "\n")
    directory = open_directory(folder)
    problem = directory.problems()[0]
    assert problem.line == 27
    assert "line 12 has the same account_id" in problem.what
    facts = await _facts(directory, "mina@kestrel-analytics.example")
    assert facts.get("account.tier").standing is Standing.MISSING


@pytest.mark.parametrize(
    ("file", "text", "part"),
    [
        ("accounts.csv", "account_id,name\nA-1,B\n", "line 1: the header lacks as_of"),
        ("people.csv", "email,name,account_id,role,executive,as_of,shoe_size\n", "not known: shoe_size"),
        ("credits.csv", 'account_id,at,kind,amount,currency,reason,incident_id,period_end\n"A-1,x\n', "cannot be read"),
        ("contacts.csv", "account_id,email,at,family,subject,resolved,ticket_id\nA-1,b\n", "fewer cells"),
        ("contacts.csv", "account_id,email,at,family,subject,resolved,ticket_id\n1,2,3,4,5,6,7,8\n", "more cells"),
        ("contracts.json", "{}", "line 1: the file is not a JSON list"),
        ("contracts.json", '[\n  {"account_id": "A-1",}\n]', "line 2: the JSON cannot be read"),
        ("contracts.json", '[\n  {"account_id": "A-1", "account_id": "A-2"}\n]', "a key twice: account_id"),
        ("contracts.json", "[\n  7\n]", "line 2: an item is not a JSON object"),
        ("contracts.json", "[" * 100_000, "cannot be read"),
        ("incidents.json", '[\n  {"id": "I"} {"id": "J"}\n]', "does not go on with a comma"),
        ("queues.toml", '[[queue]]\nid = "a\n', "queues.toml, line 2: it is not valid TOML"),
        ("queues.toml", "[queues]\n", "not known: queues"),
        ("company.toml", 'name = "A"\nproduct = "B"\ncurrency = "USD"\n', "support_address: it is missing. Add it"),
        ("company.toml", "today = yesterday\n", "company.toml, line 1: it is not valid TOML"),
    ],
)
def test_a_file_that_is_broken_is_named_with_its_line(folder: Path, file: str, text: str, part: str) -> None:
    (folder / file).write_text(text)
    found = [p for p in _problems(folder) if p.startswith(file)]
    assert any(part in p for p in found), found


def test_a_file_in_another_encoding_is_named_with_its_line(folder: Path) -> None:
    path = folder / "people.csv"
    path.write_bytes(path.read_bytes().replace(b"Bea Kimble", "Bé Kimble".encode("cp1252")))
    problem = next(p for p in open_directory(folder).problems() if p.file == "people.csv")
    assert (problem.line, problem.what) == (11, "it is not UTF-8 text")


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(folder: Path) -> None:
    for file in ("accounts.csv", "contracts.json", "company.toml", "knowledge/audit-log.md"):
        text = (folder / file).read_text()
        (folder / file).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert _problems(folder) == []


def test_all_problems_are_listed_at_once(folder: Path) -> None:
    _replace(folder / "accounts.csv", "A-1001,Maple & Finch Studio,maplefinch.example,team", "A-1001,M,m.example,gold")
    _replace(folder / "contacts.csv", "A-1001,rowan", "A-9999,rowan")
    _replace(folder / "people.csv", "Hazel Lindqvist,A-1001", "Hazel Lindqvist,A-7777")
    _replace(folder / "queues.toml", 'visibility = ["customer_success"]', 'visibility = ["nobody"]')
    _replace(folder / "knowledge" / "audit-log.md", 'approved_by = "Ines Holloway"\n', "")
    _replace(folder / "credits.csv", "1150.00,USD", "much,USD")
    shutil.copy(folder / "knowledge" / "groups.md", folder / "knowledge" / "groups-2.md")
    listed = "\n".join(_problems(folder))
    for part in (
        "accounts.csv, line 2, tier: company.toml has no tier gold",
        "contacts.csv, line 2, account_id: accounts.csv has no account A-9999",
        "people.csv, line 2, account_id: accounts.csv has no account A-7777",
        "queues.toml: billing_specialist is visible to nobody",
        "knowledge/audit-log.md: nobody has approved it",
        "credits.csv, line 2, amount",
        "knowledge/groups.md: knowledge/groups-2.md has the same id groups",
    ):
        assert part in listed
    assert len(_problems(folder)) == 7


def test_an_account_with_a_mail_domain_that_anybody_can_have_is_a_problem(folder: Path) -> None:
    _replace(folder / "accounts.csv", "maplefinch.example,team", "gmail.com,team")
    assert _only(folder).column == "domain"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("no front matter here\n", "line 1: it does not begin with front matter"),
        ('+++\nid = "x\n+++\nBody\n', "line 2: it is not valid TOML"),
        ('+++\nid = "x"\ntitle = "T"\nversion = 1\naudience = "public"\nfamily = "f"\n+++\n', "no text under"),
        ('+++\nid = "x"\ntitle = "T"\nversion = 1\naudience = "everyone"\nfamily = "f"\n+++\nB\n', "audience"),
        ('+++\nid = "x"\ntitle = "T"\nversion = 0\naudience = "public"\nfamily = "f"\n+++\nB\n', "version"),
        ('+++\nid = "x"\nauthor = "me"\n+++\nB\n', "author: this name is not known"),
    ],
)
def test_an_article_that_cannot_be_read_is_named(folder: Path, text: str, part: str) -> None:
    (folder / "knowledge" / "new.md").write_text(text)
    found = [p for p in _problems(folder) if p.startswith("knowledge/new.md")]
    assert any(part in p for p in found), found


def test_a_macro_that_nobody_approved_is_not_handed_out(folder: Path) -> None:
    _replace(folder / "macros" / "plan-mismatch.md", 'approved_by = "Leopold Marsh"\n', "")
    directory = open_directory(folder)
    assert [p.file for p in directory.problems()] == ["macros/plan-mismatch.md"]
    assert "plan-mismatch" not in {macro.macro_id for macro in directory.systems().macros}


async def test_dates_without_a_time_or_zone_are_utc(folder: Path) -> None:
    _replace(folder / "accounts.csv", "active,12,,2026-03-10T05:00:00Z", "active,12,,2026-03-10")
    account = await open_directory(folder).account("A-1001")
    assert isinstance(account, AccountRecord)
    assert account.as_of == datetime(2026, 3, 10, tzinfo=UTC)


async def test_a_log_reaches_as_far_as_the_day_its_file_was_written(folder: Path) -> None:
    _replace(folder / "company.toml", "today = 2026-03-10T09:00:00Z", "exported_at = 2026-02-01")
    directory = open_directory(folder)
    assert (await directory.changes("A-1011")).as_of == datetime(2026, 2, 1, tzinfo=UTC)
    facts = await _facts(directory, "mina@kestrel-analytics.example")
    assert facts.get("changes.recent_role_change").standing is Standing.STALE, "an old log's silence proves nothing"


async def test_without_a_stated_day_the_file_itself_tells_when_it_was_written(folder: Path) -> None:
    _replace(folder / "company.toml", "today = 2026-03-10T09:00:00Z", "")
    log = await open_directory(folder).changes("A-1011")
    assert log.as_of is not None
    assert log.as_of.timestamp() == pytest.approx((folder / "changes.csv").stat().st_mtime)


async def test_a_person_is_found_whatever_the_case_of_the_address(folder: Path) -> None:
    found = await open_directory(folder).person(" Mina@Kestrel-Analytics.EXAMPLE ")
    assert found is not None
    assert found.account_id == "A-1011"


@pytest.mark.parametrize("text", ["[", "nonsense", "", "[] []", '[{"id": "I"},'])
async def test_a_file_that_is_cut_off_raises_rather_than_answers_none(folder: Path, text: str) -> None:
    (folder / "incidents.json").write_text(text)
    directory = open_directory(folder)
    with pytest.raises(SystemUnavailable):
        await directory.incidents()
