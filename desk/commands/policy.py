"""The commands under ``lanewise policy``, each importing what it needs only when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from desk.records import Records
    from desk.settings import Settings
    from guards.policy import Release

Where = Annotated[Path, typer.Option("--workspace", "-w", help="A folder with lanewise.toml; default: here or above.")]
By = Annotated[str, typer.Option(help="Who; kept for good.")]
Why = Annotated[str, typer.Option(help="Why; kept for good.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A release that was proposed.")]
FamilyName = Annotated[str, typer.Argument(metavar="FAMILY", help="An issue family of the release.")]
HERE = Path()


def policy_commands(
    settings: Callable[[Path], Settings],
    records: Callable[[Path], Records],
    guarded: Callable[[Callable[[], int]], int],
    exam: Callable[[Settings, Release], int | None],
) -> typer.Typer:
    """The group. The command's own face opens workspaces, guards against errors, and knows the exam."""
    group = typer.Typer(help="Policy releases: compare, prove, approve, put in force, take back.", no_args_is_help=True)

    def end(work: Callable[[], int]) -> None:
        raise typer.Exit(guarded(work))

    _releases(group, settings, records, end, exam)
    _evidence(group, records, end)
    _rollout(group, records, end)
    return group


def _releases(group: typer.Typer, settings: Any, records: Any, end: Any, exam: Any) -> None:
    @group.command("check")
    def check(
        file: Annotated[Path | None, typer.Argument(help="A release (TOML); default: the workspace's own.")] = None,
        workspace: Where = HERE,
    ) -> None:
        """Check a policy release, and the company's files it is used with."""
        from desk.checking import check as look

        end(lambda: look(settings(workspace), file, _tell))

    @group.command("adopt")
    def adopt(by: By, reason: Why, workspace: Where = HERE) -> None:
        """Put the release that lanewise.toml names in force: an older one, or one that narrows what was activated."""
        from desk.adopting import adopt_release

        end(lambda: adopt_release(records(workspace), by, reason, _tell))

    @group.command("status")
    def status(workspace: Where = HERE) -> None:
        """What is in force, and what each issue family may do."""
        from desk.policy.releases import status as told

        end(lambda: told(records(workspace), _tell))

    @group.command("diff")
    def diff(
        old: Annotated[str, typer.Argument(metavar="A", help="A version, a file, or `now`.")],
        new: Annotated[str, typer.Argument(metavar="B", help="The same.")],
        workspace: Where = HERE,
    ) -> None:
        """Every rule that differs, who owns it, and whether it widens. 1: something widens."""
        from desk.policy.releases import show_diff

        end(lambda: show_diff(records(workspace), old, new, _tell))

    @group.command("propose")
    def propose(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="A release (TOML).")],
        by: By,
        reason: Why,
        workspace: Where = HERE,
    ) -> None:
        """Take a release into the store; its text is pinned to its version from then on."""
        from desk.policy.releases import propose as taken

        end(lambda: taken(records(workspace), file, by, reason, _tell))

    @group.command("prove")
    def prove(version: Version, workspace: Where = HERE) -> None:
        """Hold a proposed release against the ceiling table, the stored tickets and the workspace's exam."""
        from desk.policy.backtest import proof
        from desk.policy.releases import prove as held

        def work() -> int:
            place, opened = settings(workspace), records(workspace)
            return held(opened, version, lambda release: exam(place, release), _tell, proof(opened))

        end(work)

    @group.command("approve")
    def approve(
        version: Version,
        by: By,
        group: Annotated[str, typer.Option(help="The owner group that you speak for.")],
        reason: Why = "",
        workspace: Where = HERE,
    ) -> None:
        """Approve a proposed release in the name of an owner group."""
        from desk.policy.releases import approve as given

        end(lambda: given(records(workspace), version, by, group, reason, _tell))

    @group.command("activate")
    def activate(version: Version, by: By, reason: Why = "", workspace: Where = HERE) -> None:
        """Put a proposed, proven and approved release in force at once."""
        from desk.policy.releases import activate as switched

        end(lambda: switched(records(workspace), version, by, reason, _tell))

    @group.command("roll-back")
    def roll_back(
        version: Annotated[str | None, typer.Argument(help="Default: what was in force before.")] = None,
        family: Annotated[str | None, typer.Option(help="Only this issue family.")] = None,
        by: By = "",
        reason: Why = "",
        workspace: Where = HERE,
    ) -> None:
        """Go back at once, the whole or one family: every right of the release in force dies."""
        from desk.policy.releases import roll_back as back

        end(lambda: back(records(workspace), version, family, by, reason, _tell))

    @group.command("widen")
    def widen(family: FamilyName, by: By, reason: Why, workspace: Where = HERE) -> None:
        """End the holds of a family that was narrowed or rolled back. Only a person can."""
        from desk.policy.releases import widen as lifted

        end(lambda: lifted(records(workspace), family, by, reason, _tell))


def _evidence(group: typer.Typer, records: Any, end: Any) -> None:
    @group.command("backtest")
    def backtest(
        candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="A version, or a file.")],
        against: Annotated[str, typer.Option(help="What to compare with: a version, a file, or `now`.")] = "now",
        allow_new: Annotated[
            int | None, typer.Option(help="End with 1 where more than so many would newly be autonomous.", min=0)
        ] = None,
        json: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
        html: Annotated[Path | None, typer.Option(help="Write everything as one page.")] = None,
        workspace: Where = HERE,
    ) -> None:
        """Decide all stored tickets again under a candidate. 1: it goes against what people decided."""
        from desk.policy.backtest import run

        end(
            lambda: run(
                records(workspace),
                candidate,
                _tell,
                against=against,
                allow_new=allow_new,
                json_file=json,
                html_file=html,
            )
        )


def _rollout(group: typer.Typer, records: Any, end: Any) -> None:
    @group.command("promote")
    def promote(
        family: FamilyName,
        to: Annotated[str, typer.Option(help="narrow or expansion.")],
        by: By = "",
        reason: Why = "",
        workspace: Where = HERE,
    ) -> None:
        """Say what a family still lacks for its next phase; where nothing, and --by is given, record that it earned it."""
        from desk.policy.rollout import promote as judged

        end(lambda: judged(records(workspace), family, to, by, reason, _tell))

    @group.command("narrow")
    def narrow(
        days: Annotated[int, typer.Option(help="How far back overrides and recontacts count.", min=1)] = 28,
        workspace: Where = HERE,
    ) -> None:
        """Hold each family to lane 2 whose overrides or recontacts have surely spiked. For a daily run; never widens."""
        from desk.policy.rollout import narrow as looked

        end(lambda: looked(records(workspace), days, _tell))

    @group.command("name-lane")
    def name_lane(
        ticket: Annotated[str, typer.Argument(metavar="TICKET")],
        lane: Annotated[int, typer.Option(min=1, max=3, help="The lane that you would choose.")],
        by: By,
        workspace: Where = HERE,
    ) -> None:
        """Say which lane a ticket belongs in before you see ours; this is how agreement is measured."""
        from desk.policy.rollout import name_lane as named

        end(lambda: named(records(workspace), ticket, lane, by, _tell))

    @group.command("suggestions")
    def suggestions(workspace: Where = HERE) -> None:
        """Which rules people's corrections speak against, in numbers, each with its back-test. A person decides."""
        from desk.policy.rollout import suggest

        end(lambda: suggest(records(workspace), _tell))


def _tell(text: str) -> None:
    from desk.face import tell

    tell(text)
