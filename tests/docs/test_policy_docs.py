"""The documents know every key of a policy release, every setting of a workspace, and every name a field may have."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path

from pydantic import BaseModel

from desk import settings
from desk.handed_secrets import SECRETS
from guards import policy
from guards.triggers import Boundary, Trigger
from tools.ticket import NAMES

ROOT = Path(__file__).resolve().parents[2]
POLICY = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
OPERATORS = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("operators.md", "mail.md"))
CODE = set(re.findall(r"`([^`\n]+)`", POLICY))
"""What stands between backticks."""


def models(module: object) -> list[type[BaseModel]]:
    return [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, BaseModel) and value is not BaseModel
    ]


def test_every_key_of_a_release_is_explained_to_policy_owners() -> None:
    keys = {field.alias or name for part in models(policy) for name, field in part.model_fields.items()}
    assert len(keys) > 50
    told = CODE | {word for said in CODE for word in re.findall(r"[a-z_]+", said)}
    assert sorted(keys - told) == []


def test_every_trigger_boundary_and_phase_is_named_to_policy_owners() -> None:
    wanted = [member.value for vocabulary in (Trigger, Boundary, policy.Phase) for member in vocabulary]
    assert [word for word in wanted if word not in CODE] == []


def test_the_example_rule_is_one_that_a_release_would_take() -> None:
    examples = re.findall(r"^```toml\n(.*?)^```$", POLICY, re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        for rule in tomllib.loads(example)["signal"]:
            assert policy.SignalRule.model_validate(rule).why


def test_every_setting_is_explained_to_operators() -> None:
    whole = settings._File.model_fields
    keys = [f"{name}.{key}" for name, section in whole.items() for key in type(section.default).model_fields]
    assert len(keys) > 8
    assert [key for key in keys if f"| `{key}` |" not in OPERATORS] == []


def variables(*rooms: str) -> set[str]:
    """Every name of a variable of ours, or of the model's provider, that stands as a string in the code of a room."""
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")] + [ROOT / "lanewise.py"]
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    said = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {name for name in said if re.fullmatch(r"(?:OPENAI|LANEWISE)_[A-Z0-9_]+", name)}


def test_every_variable_of_the_environment_is_explained_to_operators() -> None:
    read = variables("agent", "desk", "ledger", "tools")
    assert read >= {
        "OPENAI_API_KEY",
        "LANEWISE_OIDC_SECRET",
        "LANEWISE_WEBHOOK_KEY",
        "LANEWISE_STUDIO_LEDGER",
        *SECRETS,
    }
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \|", OPERATORS, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert sorted(read - told) == []
    assert sorted(told - read) == [], "and no row outlives its variable"


PAGES_OF_MEASURING = ("docs/evals.md", "CONTRIBUTING.md", "evals/peers/README.md")


def test_every_variable_that_measuring_reads_is_explained_to_whoever_measures() -> None:
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in PAGES_OF_MEASURING)
    read = variables("evals") - variables()
    assert {"LANEWISE_MODEL_SHA256", "LANEWISE_MODEL_ENGINE"} <= read
    assert sorted(name for name in read if not re.search(rf"\b{name}\b", text)) == []


def test_every_name_that_a_ticket_field_may_have_is_told_to_operators() -> None:
    told = {
        row[1]: tuple(re.findall(r"`([^`]+)`", row[2]))
        for row in re.finditer(r"^\| ([a-z]+) \| ((?:`[a-z_]+`(?:, )?)+) \|$", OPERATORS, re.MULTILINE)
    }
    assert told == dict(NAMES)
