"""Every right at the desk is asked for by some page, and the operators' table promises those rights and no others."""

from __future__ import annotations

import re
from pathlib import Path

from desk.accounts.people import ALLOWED, May, Person, Role
from guards.policy import OwnerGroup
from ledger.accounts import Accounts
from ledger.store import open_store

ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    "read": May.READ,
    "work on tickets": May.WORK,
    "order changes": May.ORDER_CHANGE,
    "take a thread over": May.TAKE_OVER,
    "halt": May.HALT,
    "resume": May.RESUME,
    "audit": May.AUDIT,
    "hold reviews": May.REVIEW,
    "change policy releases": May.OWN_POLICY,
}
UNSAID = {May.MEASURE}
"""Everybody has it, so the table does not repeat it."""


def test_every_right_is_asked_for_where_something_is_done() -> None:
    table = ROOT / "desk" / "accounts" / "people.py"
    sources = [p for p in (ROOT / "desk").rglob("*.py") if p != table]
    said = "".join(p.read_text(encoding="utf-8") for p in sources)
    asked = {May[name] for name in re.findall(r"\bMay\.([A-Z_]+)\b", said)}
    assert set(May) == asked
    assert set(ALLOWED) == set(May)


def test_the_operators_table_promises_what_the_roles_may_and_nothing_else() -> None:
    text = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([a-z][^|`]*) \|$", text, re.MULTILINE))
    told: dict[Role, set[May]] = {}
    for role in Role:
        words = re.split(r",? and |, ", re.sub(r" \([^)]*\)", "", rows[role.value]))
        before = set(told[list(told)[-1]]) if "the same" in words else set()
        told[role] = before | {WORDS[word] for word in words if word != "the same"}
    assert told == {role: {may for may, (roles, _) in ALLOWED.items() if role in roles} - UNSAID for role in Role}
    assert all(ALLOWED[may][0] == set(Role) for may in UNSAID)


def test_the_groups_of_an_account_are_those_that_own_rules(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite3")
    user = Accounts(store).add("Bo", "", None, [Role.POLICY_OWNER], [*OwnerGroup, "nobody"])
    groups = Person.of(user).groups
    assert groups == set(OwnerGroup) and {type(group) for group in groups} == {OwnerGroup}
    store.close()
