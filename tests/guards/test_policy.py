"""A release that cannot be trusted is refused, with the file, the place and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from guards.errors import GuardError, PolicyError
from guards.policy import Release, parse_release
from guards.triggers import Trigger

OWNER_RULE = """
[[owner_rule]]
queue = "frontline_support"
why = "frontline can answer this after a look"
"""
"""The packaged release's last owner rule, as it stands in the file."""

SIGNAL = """
[[signal]]
id = "new_rule"
trigger = "customer_pressure"
level = "medium"
why = "made for a test"
"""


def test_every_packaged_release_loads_and_is_named_after_its_version() -> None:
    import guards

    packaged = sorted((Path(guards.__file__).parent / "policies").glob("*.toml"))
    assert packaged
    for path in packaged:
        read = parse_release(path.read_text(encoding="utf-8"), path.name)
        assert read.version == path.stem
        assert re.fullmatch(r"[0-9a-f]{64}", read.digest)


def test_the_packaged_release_gives_guidance_for_all_eighteen_levels(release: Release) -> None:
    texts = [getattr(release.guidance[t], level) for t in Trigger for level in ("low", "medium", "high")]
    assert len(texts) == 18
    assert all(len(text.split()) >= 2 for text in texts)
    assert len(set(texts)) == 18


def test_the_packaged_release_knows_the_queues_seven_families(release: Release) -> None:
    seven = {
        "billing",
        "seats_permissions",
        "feature_access",
        "provisioning",
        "usage_limits",
        "contract_tier",
        "outage",
    }
    assert seven <= {f.id for f in release.family}


def test_the_packaged_notices_promise_no_time_and_claim_no_review(release: Release) -> None:
    for notice in release.notice:
        assert not re.search(
            r"\d|\bhours?\b|\bminutes?\b|\bsoon\b|\bshortly\b|\btoday\b|\bhas (?:read|reviewed)\b", notice.text
        ), notice.id
        assert "{" not in notice.text


def test_the_digest_is_of_the_text_so_that_two_releases_of_one_version_can_be_told_apart(release_text: str) -> None:
    one = parse_release(release_text, "a.toml")
    other = parse_release(release_text.replace("several_mediums = 2", "several_mediums = 3"), "b.toml")
    assert one.version == other.version
    assert one.digest != other.digest
    assert parse_release(release_text, "c.toml").digest == one.digest


def cut(text: str, start: str, count: int = 1) -> str:
    """The text without the ``count`` lines from the first that begins with ``start``."""
    lines = text.splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.startswith(start))
    return "".join(lines[:place] + lines[place + count :])


def before_owners(text: str, more: str) -> str:
    place = text.index("[[owner_rule]]")
    return text[:place] + more + "\n" + text[place:]


BROKEN: dict[str, tuple[Callable[[str], str], list[str]]] = {
    "an unknown key at the top": (lambda t: 'speed = "fast"\n' + t, ["speed", "not known"]),
    "an unknown key in a table": (
        lambda t: t.replace("[review]", "[review]\nhurry = true"),
        ["review.hurry", "not known"],
    ),
    "an unknown key in a rule": (
        lambda t: before_owners(t, SIGNAL + 'text = ["x"]\nstrict = true'),
        ["strict", "not known"],
    ),
    "a misspelt trigger in a table": (
        lambda t: t.replace('[units]\npolicy_sensitivity = "answer"', '[units]\npolicy_sensitivty = "answer"'),
        ["units.policy_sensitivty"],
    ),
    "guidance for one trigger missing": (
        lambda t: cut(t, "[guidance.customer_pressure]", 4),
        ["[guidance]", "customer_pressure"],
    ),
    "one of the eighteen guidances missing": (lambda t: cut(t, 'low = "Neutral'), ["guidance.customer_pressure.low"]),
    "an empty guidance": (
        lambda t: t.replace('low = "One domain."', 'low = ""'),
        ["guidance.multi_domain_complexity.low"],
    ),
    "a unit missing": (
        lambda t: t.replace('\n[units]\npolicy_sensitivity = "answer"', "\n[units]"),
        ["[units]", "policy_sensitivity"],
    ),
    "a unit that escalates nothing": (
        lambda t: t.replace('[units]\npolicy_sensitivity = "answer"', '[units]\npolicy_sensitivity = "none"'),
        ["[units]", "escalates something"],
    ),
    "damage of an unknown kind": (lambda t: t.replace('["trust"]', '["feelings"]', 1), ["damage"]),
    "a consequence missing": (
        lambda t: cut(t, "action_irreversibility = {"),
        ["[consequence]", "action_irreversibility"],
    ),
    "two signals of one id": (lambda t: before_owners(t, (SIGNAL + 'text = ["x"]\n') * 2), ["signal", "new_rule"]),
    "two families of one id": (
        lambda t: before_owners(t, '[[family]]\nid = "billing"\ntitle = "B"\ndomain = "commerce"\ntext = ["x"]\n'),
        ["family", "billing"],
    ),
    "two notices of one id": (
        lambda t: before_owners(t, '[[notice]]\nid = "review"\ntext = "x"\napproved_by = "a"\n'),
        ["notice", "review"],
    ),
    "a signal for an unknown family": (
        lambda t: before_owners(t, SIGNAL + 'text = ["x"]\nfamilies = ["biling"]\n'),
        ["new_rule", "biling"],
    ),
    "an owner for an unknown family": (
        lambda t: before_owners(t, '[[owner_rule]]\nqueue = "odd"\nwhy = "w"\nfamilies = ["biling"]\n'),
        ["odd", "biling"],
    ),
    "an owner for an unknown signal": (
        lambda t: before_owners(t, '[[owner_rule]]\nqueue = "odd"\nwhy = "w"\nsignals = ["no_such"]\n'),
        ["odd", "no_such"],
    ),
    "autonomy for an unknown family": (
        lambda t: t.replace('autonomous_families = ["billing"', 'autonomous_families = ["biling"'),
        ["rollout.autonomous_families", "biling"],
    ),
    "a costly pair of unknown domains": (
        lambda t: before_owners(t, '[[costly_pair]]\ndomains = ["outage", "weather"]\nwhy = "w"\n'),
        ["costly_pair", "weather"],
    ),
    "an expression that does not compile": (
        lambda t: before_owners(t, SIGNAL + "text = ['ref(und']\n"),
        ["ref(und", "not valid"],
    ),
    "an exception that does not compile": (
        lambda t: before_owners(t, SIGNAL + "text = ['refund']\nunless = ['[a-']\n"),
        ["[a-", "not valid"],
    ),
    "a family's expression that does not compile": (
        lambda t: before_owners(t, "[[family]]\nid = 'odd'\ntitle = 'O'\ndomain = 'odd'\ntext = ['*x']\n"),
        ["*x", "not valid"],
    ),
    "a signal of level low": (
        lambda t: before_owners(t, SIGNAL.replace("medium", "low") + 'text = ["x"]\n'),
        ["can only raise", "medium or high"],
    ),
    "a signal of an unknown level": (
        lambda t: before_owners(t, SIGNAL.replace('"medium"', '"extreme"') + 'text = ["x"]\n'),
        ["level", "'high'"],
    ),
    "a signal over nothing": (lambda t: before_owners(t, SIGNAL), ["fact", "text"]),
    "a signal over a fact with two comparisons": (
        lambda t: before_owners(t, SIGNAL + 'fact = "account.tier"\nis = "team"\nat_least = 2\n'),
        ["exactly one of"],
    ),
    "a signal over a fact with none": (
        lambda t: before_owners(t, SIGNAL + 'fact = "account.tier"\n'),
        ["exactly one of"],
    ),
    "a signal over a fact and over words": (
        lambda t: before_owners(t, SIGNAL + 'fact = "account.tier"\nis = "team"\ntext = ["x"]\n'),
        ["exactly one of"],
    ),
    "a comparison without a fact": (
        lambda t: before_owners(t, SIGNAL + 'is = "team"\ntext = ["x"]\n'),
        ["either `fact`"],
    ),
    "a last owner rule with a condition": (
        lambda t: t.replace(OWNER_RULE, OWNER_RULE.rstrip() + "\nlane = 3\n"),
        ["last owner_rule", "unconditional"],
    ),
    "no notice for lane 3": (
        lambda t: t.replace('id = "owned"\nlane = 3', 'id = "owned"\nlane = 2'),
        ["lane 3", "no unconditional notice"],
    ),
    "no notice for lane 2": (
        lambda t: t.replace('id = "review"\nlane = 2', 'id = "review"\nlane = 3'),
        ["lane 2", "no unconditional notice"],
    ),
    "one medium called several": (
        lambda t: t.replace("several_mediums = 2", "several_mediums = 1"),
        ["several_mediums"],
    ),
    "an unknown phase": (
        lambda t: t.replace('phase = "assisted"', 'phase = "everything"'),
        ["rollout.phase", "observe_only"],
    ),
    "a model that may lower": (
        lambda t: t.replace('model_policy = "raise_only"', 'model_policy = "average"'),
        ["assessors.model_policy", "raise_only"],
    ),
    "an approval that never ends": (
        lambda t: t.replace("approval_expires_hours = 24", "approval_expires_hours = 99999"),
        ["review.approval_expires_hours", "168"],
    ),
    "a version that is not one": (lambda t: t.replace('version = "2026-03-01"', 'version = "latest"', 1), ["version"]),
    "a record that is fresh for a negative time": (
        lambda t: t.replace("accounts = 30", "accounts = -1"),
        ["freshness.accounts"],
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_release_is_refused_with_the_file_and_the_place(release_text: str, what: str) -> None:
    mend, named = BROKEN[what]
    broken = mend(release_text)
    assert broken != release_text
    with pytest.raises(PolicyError) as caught:
        parse_release(broken, "team/2026-04-01.toml")
    message = str(caught.value)
    assert message.startswith("team/2026-04-01.toml: ")
    for word in named:
        assert word in message, message
    assert "errors.pydantic.dev" not in message


@pytest.mark.parametrize("text", ["", "version = ", "\x00\x01", "[[signal]", 'version = "2026-01-01"'])
def test_a_text_that_is_no_release_is_refused_too(text: str) -> None:
    with pytest.raises(PolicyError, match=r"^odd\.toml: "):
        parse_release(text, "odd.toml")


def test_toml_that_cannot_be_read_names_the_line_and_what_to_do(release_text: str) -> None:
    line = release_text.splitlines().index("[review]") + 1
    with pytest.raises(PolicyError, match=rf"line {line}.*lanewise policy check"):
        parse_release(release_text.replace("[review]", "[review"), "team.toml")


def test_an_unknown_key_says_to_remove_or_respell_it(release_text: str) -> None:
    with pytest.raises(PolicyError, match=r"several_medium: this key is not known; remove it or correct its spelling"):
        parse_release(release_text.replace("several_mediums = 2", "several_medium = 2"), "team.toml")


def test_several_mistakes_are_told_at_once(release_text: str) -> None:
    broken = release_text.replace("accounts = 30", "accounts = -1").replace("[review]", "[review]\nhurry = true")
    with pytest.raises(PolicyError) as caught:
        parse_release(broken, "team.toml")
    assert "freshness.accounts" in str(caught.value)
    assert "review.hurry" in str(caught.value)


def test_a_release_cannot_be_changed_once_read(release: Release) -> None:
    with pytest.raises(ValueError, match="frozen"):
        release.several_mediums = 6


def test_a_release_has_no_word_for_rights_effects_or_lanes() -> None:
    words = " ".join(Release.model_fields)
    assert not re.search(r"right|effects|lane|capabilit|grant|channel", words)


def test_whoever_catches_the_laws_errors_catches_a_policys() -> None:
    assert issubclass(PolicyError, GuardError)
