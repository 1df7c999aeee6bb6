"""The gate itself: a planted regression of each kind is caught, in a run that was really made, and a sound one passes."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from exam_hall import blind, held, place_with, with_owners

from evals.case import CaseError
from evals.evaluate import price_of
from evals.gate import Exit, compare, judge, read_baseline
from evals.outcome import Outcome, Run, read_run
from guards.policy import Release

OWNERS = ("admin-locked-out", "password-identity", "conflicting-tier")


def run_of(file: Path) -> Run:
    return read_run(file)


def test_a_sound_run_passes_and_becomes_the_baseline_of_the_next(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_with(tmp_path, ["audit-logs-where", "contracts-down"])
    assert held(place, release) == Exit.OK
    assert "there is no baseline" in capsys.readouterr().out
    assert held(place, release, update_baseline=True) == Exit.OK
    assert held(place, release) == Exit.OK
    assert "no figure is worse than the baseline" in capsys.readouterr().out


def test_a_release_that_sees_no_risk_is_stopped_as_a_high_risk_miss(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_with(tmp_path, ["polite-limit-favour", "audit-logs-injection", "refund-overpurchase"])
    junit = tmp_path / "junit.xml"
    assert held(place, blind(release), junit=junit) == Exit.BOUNDARY
    assert "high_risk" in capsys.readouterr().out
    failures = ElementTree.parse(junit).getroot().findall(".//failure")
    assert failures
    assert {f.get("type") for f in failures} == {"high_risk"}


def test_a_notice_that_claims_a_review_nobody_made_is_stopped_as_a_boundary_breach(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    false = "Our specialist has reviewed your message. We will refund you within two days."
    notices = tuple(n.model_copy(update={"text": false}) for n in release.notice)
    place = place_with(tmp_path, ["refund-overpurchase"])
    assert held(place, release.model_copy(update={"notice": notices})) == Exit.BOUNDARY
    assert "human_review" in capsys.readouterr().out


def test_a_text_that_must_never_be_sent_is_a_boundary_breach(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["refund-overpurchase"])
    file = place.cases / "refund-overpurchase.toml"
    file.write_text(file.read_text(encoding="utf-8") + 'never_send = ["notice"]\n', encoding="utf-8")
    assert held(place, release) == Exit.BOUNDARY


def test_better_on_average_and_worse_on_contracts_fails(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = with_owners(release, lambda r: "frontline_support" if r.queue == "security_team" else r.queue)
    after = with_owners(release, lambda r: "incident_liaison" if r.queue == "contract_desk" else r.queue)
    place = place_with(tmp_path, OWNERS)
    assert held(place, before, update_baseline=True) == Exit.OK
    told = tmp_path / "run.json"
    assert held(place, after, json=told) == Exit.QUALITY
    baseline = read_baseline(place.baseline)
    assert baseline is not None
    owners = {c.slice: c for c in compare(run_of(told), baseline) if c.figure == "right_owner"}
    assert (owners["all"].before.hits, owners["all"].now.hits) == (1, 2)
    assert not owners["all"].worse
    assert owners["family contract_tier"].worse
    assert owners["family contract_tier"].lost == ("conflicting-tier",)
    assert "worse than the baseline in" in capsys.readouterr().out


def test_a_harmless_ticket_that_a_person_must_answer_now_is_a_regression(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["audit-logs-where", "viewer-seats"])
    assert held(place, release, update_baseline=True) == Exit.OK
    narrow = release.rollout.model_copy(update={"autonomous_families": ("billing",)})
    spoilt = release.model_copy(update={"rollout": narrow})
    told = tmp_path / "run.json"
    assert held(place, spoilt, json=told) == Exit.QUALITY
    baseline = read_baseline(place.baseline)
    assert "harmless_answered" in {c.figure for c in judge(run_of(told), baseline).worse}


def test_a_case_that_moves_to_another_slice_cannot_hide_there(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["conflicting-tier"])
    told = tmp_path / "run.json"
    assert held(place, release, update_baseline=True, json=told) == Exit.OK
    run, baseline = run_of(told), read_baseline(place.baseline)
    assert baseline is not None
    (outcome,) = run.outcomes
    marks = {**outcome.marks, "right_owner": (0, 1)}
    moved = outcome.model_copy(update={"families": ("outage",), "segment": "elsewhere", "marks": marks})
    worse = judge(run.model_copy(update={"outcomes": (moved,)}), baseline).worse
    assert {"family contract_tier", f"segment {outcome.segment}"} <= {c.slice for c in worse}


def test_a_live_run_is_worse_only_beyond_chance(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["conflicting-tier"])
    told = tmp_path / "run.json"
    held(place, release, update_baseline=True, json=told)
    (one,) = run_of(told).outcomes

    def run(right: int, mode: str) -> Run:
        rows = [
            one.model_copy(update={"id": f"c{n}", "mode": mode, "marks": {"right_lane": (int(n < right), 1)}})
            for n in range(20)
        ]
        return run_of(told).model_copy(update={"outcomes": tuple(rows)})

    from evals.gate import baseline_of

    before = baseline_of(run(19, "embedded"))
    assert judge(run(18, "embedded"), before).exit is Exit.QUALITY
    assert judge(run(18, "live"), before).exit is Exit.OK
    assert judge(run(11, "live"), before).exit is Exit.QUALITY


# ── recordings ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("sort customer-support messages", "rank customer-support messages", "the prompt assess_triggers has changed"),
        ('"strict":true', '"strict":false', "the schema of assess_triggers has changed"),
        (
            '"max_completion_tokens":96',
            '"max_completion_tokens":95',
            "the model setting max_completion_tokens is 96, recorded with 95",
        ),
    ],
)
def test_a_changed_prompt_schema_or_setting_is_a_miss_that_says_which(
    release: Release, tmp_path: Path, was: str, now: str, told: str
) -> None:
    place = place_with(tmp_path, ["refund-overpurchase"], recordings=True)
    file = place.cassettes / "refund-overpurchase.yaml"
    text = file.read_text(encoding="utf-8")
    assert was in text
    file.write_text(text.replace(was, now), encoding="utf-8")
    run = tmp_path / "run.json"
    assert held(place, release, json=run) == Exit.CANNOT_RUN
    (outcome,) = run_of(run).outcomes
    assert any(told in why for why in outcome.stale), outcome.stale
    assert judge(run_of(run), None).boundary == ()  # what a stale recording led to is not judged


def test_a_changed_case_is_a_miss_that_says_so(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["refund-overpurchase"], recordings=True)
    file = place.cases / "refund-overpurchase.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("new depot", "new office"), encoding="utf-8")
    run = tmp_path / "run.json"
    assert held(place, release, json=run) == Exit.CANNOT_RUN
    (why,) = run_of(run).outcomes[0].stale
    assert "what the prompt assess_triggers is filled with has changed" in why


def test_a_recording_that_somebody_touched_and_one_without_a_case_are_told(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_with(tmp_path, ["admin-locked-out", "password-identity"], recordings=True)
    (place.cases / "password-identity.toml").unlink()
    file = place.cassettes / "admin-locked-out.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert held(place, release) == Exit.CANNOT_RUN
    said = capsys.readouterr().out
    assert "admin-locked-out.yaml is not as it was recorded" in said
    assert "recordings without a case" in said
    assert "password-identity" in said


def test_recordings_of_another_model_than_the_settings_name_are_stale(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_with(tmp_path, ["admin-locked-out"], recordings=True)
    assert held(place, release, wanted_model="another-model") == Exit.CANNOT_RUN
    assert "ask for the model another-model" in capsys.readouterr().out
    assert held(place, release, wanted_model="another-model", embedded=True) == Exit.OK


def test_recording_or_asking_live_without_a_model_says_what_to_set(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["admin-locked-out"])
    for how in ("record", "live"):
        with pytest.raises(CaseError, match="OPENAI_BASE_URL"):
            held(place, release, **{how: True})


# ── what comes out ──────────────────────────────────────────────────────────────────────────────────────────

REPORTS = ("junit", "markdown", "html", "json")


def test_two_runs_write_the_same_bytes_with_one_process_and_with_two(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["admin-locked-out", "audit-logs-where", "contracts-down"], recordings=False)
    for name in ("admin-locked-out", "audit-logs-where"):
        recorded = place_with(tmp_path / "all", [name], recordings=True).cassettes
        for file in (recorded / f"{name}.yaml", recorded / "recorded_with.json"):
            (place.cassettes / file.name).write_bytes(file.read_bytes())
    for number, jobs in enumerate((1, 1, 2)):
        files = {name: tmp_path / f"run{number}" / name for name in REPORTS}
        assert held(place, release, **{**files, "jobs": jobs}) == Exit.OK
    for name in REPORTS:
        written = {(tmp_path / f"run{number}" / name).read_bytes() for number in range(3)}
        assert len(written) == 1, name
        assert all(written)


def test_the_difference_of_two_runs_names_the_newly_autonomous_first_and_shows_the_words(
    release: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = place_with(tmp_path, ["audit-logs-where", "polite-limit-favour"])
    narrow = release.rollout.model_copy(update={"autonomous_families": ("billing",)})
    before, page, summary = (tmp_path / name for name in ("before.json", "page.html", "summary.md"))
    held(place, release.model_copy(update={"rollout": narrow}), json=before)
    capsys.readouterr()
    assert held(place, release, against=before, html=page, markdown=summary) == Exit.OK
    said = capsys.readouterr().out
    assert "audit-logs-where: NEWLY AUTONOMOUS; lane 2 -> 1" in said
    assert "1 changed lane, 1 of them newly autonomous" in said
    text = page.read_text(encoding="utf-8")
    assert "newly autonomous" in text
    assert "<ins>" in text
    assert "NEWLY AUTONOMOUS" in summary.read_text(encoding="utf-8")


def test_whatever_a_customer_writes_stays_words_in_every_report(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["polite-limit-favour"])
    file = place.cases / "polite-limit-favour.toml"
    hostile = "<script>alert(1)</script> ]]> \\u0008 | # x [l](http://evil.example) refund me"
    text = re.sub(
        r"^title = .*$", f'title = "{hostile}"'.replace("\\", "\\\\"), file.read_text(encoding="utf-8"), flags=re.M
    )
    file.write_text(
        re.sub(r'text = """\n', f'text = """\n{hostile}\n'.replace("\\", "\\\\"), text, count=1), encoding="utf-8"
    )
    files = {name: tmp_path / name for name in REPORTS}
    held(place, release, **files)
    page = files["html"].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "<script" not in files["markdown"].read_text(encoding="utf-8")
    root = ElementTree.parse(files["junit"]).getroot()
    assert root.get("tests") == "1"


def test_the_price_of_a_message_is_told_where_a_price_is_given(release: Release, tmp_path: Path) -> None:
    place = place_with(tmp_path, ["admin-locked-out"], recordings=True)
    told = tmp_path / "run.json"
    held(place, release, json=told, price=price_of("1/2"))
    run = run_of(told)
    (one,) = run.outcomes
    assert (one.calls, one.messages) == (1, 1)
    assert one.input_tokens > 1000
    assert f"{(one.input_tokens + 2 * one.output_tokens) / 1e6:.6f} a message" in run.cost
    with pytest.raises(CaseError, match="IN/OUT"):
        price_of("cheap")


def test_an_outcome_reads_back_as_it_was_written(release: Release, tmp_path: Path) -> None:
    told = tmp_path / "run.json"
    held(place_with(tmp_path, ["audit-logs-where"]), release, json=told)
    (one,) = run_of(told).outcomes
    assert Outcome.model_validate_json(one.model_dump_json()) == one
    (tmp_path / "no-run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CaseError, match="not a run"):
        read_run(tmp_path / "no-run.json")
