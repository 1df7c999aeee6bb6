"""What every command does alike on a terminal: it tells texts, JSON and problems, and ends with an exit code."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack


def guarded(work: Callable[[], int], closing: ExitStack, also: type[Exception], broken: int = 2) -> int:
    """Runs a command, then what ``closing`` holds. What the operator can mend (``also`` among it) is one clear line on
    standard error and the exit code ``broken``."""
    from agent.errors import AgentError
    from desk.errors import DeskError
    from guards.errors import GuardError
    from ledger.errors import LedgerError
    from tools.errors import ToolError

    try:
        with closing:  # what a command wrote last is anchored before it ends
            return work()
    except (AgentError, DeskError, also, GuardError, LedgerError, ToolError, OSError, UnicodeError) as error:
        return fail(str(error), broken)
    except KeyboardInterrupt:
        return fail("stopped; what was filed is in the ledger and goes on with the next command", broken)


def fail(message: str, code: int = 2) -> int:
    """Says what is wrong, and gives the exit code."""
    warn(message)
    return code


def warn(message: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"lanewise: {_visible(message)}\n")


def warn_each(messages: Iterable[str]) -> None:
    """Each on a line of its own."""
    for message in messages:
        warn(message)


def tell(text: str) -> None:
    """A text on standard output, its control characters as signs: strangers' words must not rewrite a screen."""
    shown = _visible(text)
    sys.stdout.write(shown if shown.endswith("\n") else f"{shown}\n")


def tell_now(text: str) -> None:
    """The same, seen at once."""
    tell(text)
    sys.stdout.flush()


def tell_json(value: object) -> None:
    """A value as JSON on standard output."""
    tell(json_text(value))


def json_text(value: object) -> str:
    """A value as JSON in which each character that a terminal would obey is escaped, so that none is lost."""
    told = json.dumps(value, indent=2, ensure_ascii=False)
    return re.sub(r"[^\n -~]", lambda m: m[0] if _visible(m[0]) == m[0] else json.dumps(m[0])[1:-1], told)


def _visible(text: str) -> str:
    from desk.channels.console import visible

    return visible(text)
