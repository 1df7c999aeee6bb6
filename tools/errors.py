"""What can go wrong between the assistant and the world outside.

ToolError
├── SystemUnavailable   a system of record did not answer; its facts are missing, and a person is asked
├── BadRecord           one row, item or file cannot be used: where it stands, what is wrong, what to do
├── UnreadableFile      nothing of a file can be read: it is absent, binary, or of a kind we do not know
├── BadTool             a tool that must not load
│   ├── UndeclaredEffect    it declares no effect, or one that its right does not allow
│   └── NameTaken           another tool in the same toolbox already has its name
├── BadChange           a change that a person orders has arguments that are not exactly the declared ones
├── ChangeRejected      the team's own system certainly did not make a change
└── ToolFailed          a tool was allowed to run and broke; whether its effect happened is not known
"""

from __future__ import annotations


class ToolError(Exception):
    """Something outside could not be read or used; the ticket goes on with less known, or to a person."""


class SystemUnavailable(ToolError):
    """A system of record did not answer, or its answer cannot be trusted."""


class BadRecord(ToolError):
    """One record that cannot be used. Kept as a value too: a check lists all of them at once."""

    def __init__(self, file: str, what: str, remedy: str, *, line: int | None = None, column: str = "") -> None:
        self.file = file
        """The file's name as the reader knows it: ``contracts.json``, ``knowledge/audit-log.md``."""
        self.line = line
        """Counted from 1; None where the problem is the file as a whole."""
        self.column = column
        """The column or key; empty where the problem is the row as a whole."""
        self.what = what
        self.remedy = remedy
        """What to do about it, as an instruction."""
        super().__init__(str(self))

    def __str__(self) -> str:
        where = self.file
        if self.line is not None:
            where += f", line {self.line}"
        if self.column:
            where += f", {self.column}"
        return f"{where}: {self.what}. {self.remedy}."


class UnreadableFile(ToolError):
    """Nothing of a file can be read."""


class BadTool(ToolError):
    """A tool that must not load."""


class UndeclaredEffect(BadTool):
    """A tool declares no effect, or another effect than the right it asks for."""


class NameTaken(BadTool):
    """Two tools of one toolbox have the same name."""


class BadChange(ToolError):
    """A change of state that is not one we know, or whose arguments are not exactly the declared ones."""


class ChangeRejected(ToolError):
    """The team's own system did not make a change, and that is certain; any other error means that nobody knows.

    Its message is kept in the record for good, so it holds no address and nothing of a customer's.
    """


class ToolFailed(ToolError):
    """A permitted tool broke while it ran. Never retried by a machine: its effect may have happened."""
