"""The command line of serving: `lanewise serve` and `lanewise user`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from desk.records import Records
    from desk.workplace import Workplace
    from ledger.accounts import Accounts
    from ledger.interface import Interface

HERE = Path(".")
Where = Annotated[Path, typer.Option("--workspace", "-w", help="The folder of lanewise.toml, or one inside it.")]
user_app = typer.Typer(help="Who may work at the desk.", no_args_is_help=True)
key_app = typer.Typer(help="Which systems may call the interface.", no_args_is_help=True)


def add_to(
    app: typer.Typer,
    guarded: Callable[[Callable[[], int]], int],
    opened: Callable[[Path], Workplace],
    records: Callable[[Path], Records],
) -> None:
    """Adds the commands; ``guarded`` runs one and tells errors, ``opened`` opens a workspace, ``records`` its ledger
    alone."""
    app.add_typer(user_app, name="user")
    app.add_typer(key_app, name="key")

    @app.command()
    def serve(
        host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="The port.", min=0, max=65535)] = 8080,
        post: Annotated[bool, typer.Option("--post/--no-post", help="Letters leave by this process.")] = True,
        demo: Annotated[
            bool, typer.Option("--demo", help="Over a made-up year, which is made first, in a folder of its own.")
        ] = False,
        workspace: Where = HERE,
    ) -> None:
        """Serve customers and agents: chat, desk and interface in one process, on this machine by default."""

        def work() -> int:
            import os
            import sys

            from desk.face import tell_now
            from desk.handed_secrets import forget_read_secrets, take_secrets
            from desk.post import channel_for
            from desk.serving import serve as open_counter
            from desk.settings import load_settings

            # First of all: they leave the environment before anything that a model can reach is built.
            secrets = take_secrets(os.environ)
            if demo:
                from desk.made_up.demonstration import FOLDER, show

                return show(FOLDER if workspace == HERE else workspace, host, port, post, tell_now)
            channel = channel_for(load_settings(workspace, os.environ), secrets, sys.stdout) if post else None
            place = opened(workspace)
            forget_read_secrets(place.store.keyring, os.environ)
            return open_counter(place, channel, host, port, tell_now, secrets)

        raise typer.Exit(guarded(work))

    @user_app.command("add")
    def user_add(
        name: Annotated[str, typer.Argument(help="As their decisions are signed.")],
        role: Annotated[
            list[str] | None, typer.Option(help="agent, specialist, lead, policy_owner or auditor.")
        ] = None,
        group: Annotated[list[str] | None, typer.Option(help="For whom they may approve a release, signed in.")] = None,
        email: Annotated[str, typer.Option(help="Their address; an identity provider names them by it.")] = "",
        outside: Annotated[bool, typer.Option("--no-password", help="They sign in elsewhere (OIDC) alone.")] = False,
        workspace: Where = HERE,
    ) -> None:
        """Make a user; the password is asked for, or read from standard input."""
        from desk.accounts import commands
        from desk.face import tell

        def work() -> int:
            return commands.add(_accounts(records, workspace), name, email, role or (), group or (), outside, tell)

        raise typer.Exit(guarded(work))

    @user_app.command("change")
    def user_change(
        name: Annotated[str, typer.Argument()],
        role: Annotated[list[str] | None, typer.Option(help="Their roles from now on.")] = None,
        group: Annotated[list[str] | None, typer.Option(help="Their groups from now on.")] = None,
        password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
        disable: Annotated[bool | None, typer.Option("--disable/--enable", help="May they sign in?")] = None,
        workspace: Where = HERE,
    ) -> None:
        """Change a user's roles, groups or password, or let them in no more."""
        from desk.accounts import commands
        from desk.face import tell

        def work() -> int:
            found = _accounts(records, workspace)
            return commands.change(found, name, role or (), group or (), password, disable, tell)

        raise typer.Exit(guarded(work))

    @user_app.command("list")
    def user_list(workspace: Where = HERE) -> None:
        """Who may work at the desk."""
        from desk.accounts import commands
        from desk.face import tell

        raise typer.Exit(guarded(lambda: commands.listed(_accounts(records, workspace), tell)))

    @key_app.command("add")
    def key_add(
        name: Annotated[str, typer.Argument(help="The system, as it stands beside decisions that it sends.")],
        scope: Annotated[list[str] | None, typer.Option(help="What it may do; may be repeated.")] = None,
        workspace: Where = HERE,
    ) -> None:
        """Make a key for a system that calls the interface; it is shown once."""
        from desk.api import commands
        from desk.face import tell

        raise typer.Exit(guarded(lambda: commands.add(_interface(records, workspace), name, scope or (), tell)))

    @key_app.command("list")
    def key_list(workspace: Where = HERE) -> None:
        """Which systems may call."""
        from desk.api import commands
        from desk.face import tell

        raise typer.Exit(guarded(lambda: commands.listed(_interface(records, workspace), tell)))

    @key_app.command("revoke")
    def key_revoke(key: Annotated[str, typer.Argument(help="Its id.")], workspace: Where = HERE) -> None:
        """End a key, and the webhooks that it made."""
        from desk.api import commands
        from desk.face import tell

        raise typer.Exit(guarded(lambda: commands.revoke(_interface(records, workspace), key, tell)))


def _interface(records: Callable[[Path], Records], workspace: Path) -> Interface:
    from ledger.interface import Interface

    return Interface(records(workspace).store)


def _accounts(records: Callable[[Path], Records], workspace: Path) -> Accounts:
    from ledger.accounts import Accounts

    return Accounts(records(workspace).store)
