"""A team's own workspace: written once, whole, never over somebody's files, and it loads as it is."""

from __future__ import annotations

import csv
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.release_in_force import release_view
from desk.errors import DeskError, FilesInTheWay
from desk.settings import load_settings
from desk.workspace import SAMPLE_ACCOUNTS, SAMPLE_ARTICLES, contents, init
from guards.gate import Permit
from guards.policy import Phase, Release, parse_release
from tools.directory import Directory, open_directory
from tools.knowledge import may_ground

PACKAGED = Path(__file__).parents[2] / "guards" / "policies"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace, just written."""
    init(tmp_path / "team")
    return tmp_path / "team"


def release_of(workspace: Path) -> tuple[Release, str]:
    """The release that the workspace's settings name, and its text."""
    file = load_settings(workspace, {}).policy
    assert file is not None
    text = file.read_text(encoding="utf-8")
    return parse_release(text, file.name), text


def company_of(workspace: Path) -> Directory:
    """The company that the workspace's settings name."""
    folder = load_settings(workspace, {}).company
    assert folder is not None
    return open_directory(folder)


def test_it_writes_every_file_and_says_which(tmp_path: Path) -> None:
    written = init(tmp_path / "team")
    assert sorted(written) == sorted(p for p in (tmp_path / "team").rglob("*") if p.is_file())
    names = {str(p.relative_to(tmp_path / "team")) for p in written}
    assert {
        "lanewise.toml",
        ".gitignore",
        "policy/2026-03-01-observe.toml",
        "company/queues.toml",
        "company/accounts.csv",
        "tickets/sample.csv",
    } <= names
    assert len([n for n in names if n.startswith("company/knowledge/") and n.endswith(".md")]) == 4


def test_its_settings_load_and_name_what_was_written(workspace: Path) -> None:
    found = load_settings(workspace / "tickets", {})
    assert found.file == workspace / "lanewise.toml"
    assert found.company == workspace / "company"
    assert found.policy == workspace / "policy" / "2026-03-01-observe.toml"
    assert found.ledger_url == f"sqlite:///{workspace}/.lanewise/ledger.sqlite3"


def test_every_key_of_its_settings_is_commented(workspace: Path) -> None:
    lines = (workspace / "lanewise.toml").read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if "=" in line and not line.startswith("#"):
            assert before.startswith("#"), f"{line!r} has no comment above it"


def test_its_release_is_the_packaged_one_but_only_watches(workspace: Path) -> None:
    release, text = release_of(workspace)
    file = max(PACKAGED.glob("*.toml"))
    packaged_text = file.read_text(encoding="utf-8")
    packaged = parse_release(packaged_text, file.name)
    assert release.version == f"{packaged.version}-observe"
    assert release.rollout.phase is Phase.OBSERVE_ONLY
    assert not release_view(release).phase_sends
    same = {"version", "title", "reason", "digest", "rollout"}
    assert release.model_dump(exclude=same) == packaged.model_dump(exclude=same)
    changed = {"version", "title", "reason", "phase"}
    lines = [line for line in packaged_text.splitlines() if line.partition(" = ")[0] not in changed]
    kept = [line for line in text.splitlines() if line.partition(" = ")[0] not in changed]
    assert kept[-len(lines) :] == lines, "but for four values it is the packaged text, comments and all"


def test_its_company_loads_without_a_single_problem(workspace: Path) -> None:
    directory = company_of(workspace)
    assert [str(p) for p in directory.problems()] == []


async def test_its_company_answers_every_lookup_for_every_sample_account(workspace: Path) -> None:
    systems = company_of(workspace).systems()
    for account in sorted(SAMPLE_ACCOUNTS):
        assert await systems.accounts.account(account) is not None
        assert await systems.contracts.contract(account) is not None
        assert await systems.entitlements.entitlements(account)
    assert (await systems.incidents.incidents()).records
    assert len(systems.macros) == 3


async def test_its_public_articles_may_ground_an_answer_on_its_own_clock(workspace: Path) -> None:
    systems = company_of(workspace).systems()
    today = systems.company.today
    assert today is not None
    grounding = {}
    for name in SAMPLE_ARTICLES:
        article = await systems.knowledge.article(name)
        assert article is not None
        grounding[name] = isinstance(may_ground(article, today.date()), Permit)
    assert grounding == {
        "add-seats": True,
        "download-invoices": True,
        "status-page": True,
        "refund-policy-internals": False,
    }


def test_every_queue_that_its_release_names_exists(workspace: Path) -> None:
    release, _ = release_of(workspace)
    queues = {queue.queue_id for queue in company_of(workspace).systems().queues}
    named = {release.review.deadline_queue}
    for rule in release.owner_rule:
        named |= {rule.queue, *rule.visible_to}
    assert named <= queues


def test_every_sample_article_and_macro_carries_a_comment(workspace: Path) -> None:
    for kind in ("knowledge", "macros"):
        assert (workspace / "company" / kind / "README.txt").is_file()
        for file in (workspace / "company" / kind).glob("*.md"):
            assert file.read_text(encoding="utf-8").startswith("+++\n# "), file


def test_every_file_that_cannot_hold_comments_is_explained_beside_it(workspace: Path) -> None:
    for folder in ("company", "tickets"):
        told = (workspace / folder / "README.md").read_text(encoding="utf-8")
        for file in (workspace / folder).iterdir():
            if file.suffix in (".csv", ".json"):
                assert file.name in told, f"{folder}/README.md does not explain {file.name}"


def test_its_eight_sample_tickets_come_from_people_it_knows(workspace: Path) -> None:
    with open(workspace / "tickets" / "sample.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    assert len({row["id"] for row in rows}) == len(rows) == 8
    with open(workspace / "company" / "people.csv", encoding="utf-8", newline="") as stream:
        people = {row["email"] for row in csv.DictReader(stream)}
    assert {row["email"] for row in rows} <= people
    assert {row["verified"] for row in rows} == {"yes"}, "each of them is known, so each of them is verified"
    assert all(row["subject"] and row["message"] and row["created_at"] for row in rows)


def test_its_sample_tickets_show_all_three_lanes_once_it_does_more_than_watch(workspace: Path, run: Any) -> None:
    (release,) = (workspace / "policy").glob("*.toml")
    text = release.read_text(encoding="utf-8")
    release.write_text(text.replace('phase = "observe_only"', 'phase = "assisted"'), encoding="utf-8")
    sample = str(workspace / "tickets" / "sample.csv")
    result = run("try", sample, "--workspace", str(workspace), "--out", "report")
    assert result.exit_code == 0, result.output
    assert {lane for lane in (1, 2, 3) if f"lane {lane}  " in result.stdout} == {1, 2, 3}


def test_what_lanewise_writes_by_itself_is_kept_out_of_git(workspace: Path) -> None:
    ignored = (workspace / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".lanewise/", "outbox/"} <= set(ignored)


def test_no_file_holds_a_placeholder_that_was_not_filled_in() -> None:
    for name, text in contents().items():
        assert "@POLICY@" not in text, name
        assert "@VERSION@" not in text, name
        if name.suffix == ".toml":
            tomllib.loads(text)


def test_it_writes_beside_other_files_and_leaves_them_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("ours")
    init(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "ours"


def test_it_refuses_to_overwrite_names_the_files_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "lanewise.toml").write_text("ours")
    (tmp_path / "company").mkdir()
    (tmp_path / "company" / "accounts.csv").write_text("ours")
    with pytest.raises(FilesInTheWay, match="nothing was written") as caught:
        init(tmp_path)
    assert "lanewise.toml" in str(caught.value)
    assert "company/accounts.csv" in str(caught.value)
    assert len(caught.value.files) == 2
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["accounts.csv", "company", "lanewise.toml"]


def test_running_it_twice_is_refused(workspace: Path) -> None:
    before = {p: p.read_bytes() for p in workspace.rglob("*") if p.is_file()}
    with pytest.raises(FilesInTheWay):
        init(workspace)
    assert before == {p: p.read_bytes() for p in workspace.rglob("*") if p.is_file()}


def test_a_link_that_leads_nowhere_and_a_file_for_a_folder_are_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "lanewise.toml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "tickets").write_text("a file")
    with pytest.raises(FilesInTheWay) as caught:
        init(tmp_path)
    assert {str(f) for f in caught.value.files} == {"lanewise.toml", "tickets"}


def test_a_file_in_the_directorys_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "team").write_text("a file")
    with pytest.raises(DeskError, match="is a file"):
        init(tmp_path / "team")


def test_git_would_take_in_no_customers_words(run: Any, tmp_path: Path) -> None:
    assert run("init", "team").exit_code == 0
    workspace = tmp_path / "team"
    assert (
        run("try", str(workspace / "tickets" / "sample.csv"), "-w", "team", "--out", "team/try-report").exit_code == 0
    )
    for file in ("ledger.sqlite3", "attachments/T-1/m/a.pdf"):
        (workspace / ".lanewise" / file).parent.mkdir(parents=True, exist_ok=True)
        (workspace / ".lanewise" / file).write_bytes(b"words")
    for file in ("outbox/1.eml", "evals/proposals/audit-1.toml"):
        (workspace / file).parent.mkdir(parents=True, exist_ok=True)
        (workspace / file).write_text("words", encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=workspace, check=True)
    taken = subprocess.run(["git", "ls-files"], cwd=workspace, check=True, capture_output=True, text=True).stdout
    words = ("try-report", ".lanewise", "outbox", "proposals")
    assert [line for line in taken.splitlines() if line.startswith(words) or "proposals" in line] == []
    assert "lanewise.toml" in taken
