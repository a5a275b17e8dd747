"""How a command ends: the exit codes that scripts rely on, and the errors that lead to them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes of `ask`, `say` and `lease run`, which the other commands use alike."""

    DONE = 0
    PROBLEM = 1
    """A check found something: `check`, `doctor`, `audit verify`."""
    USAGE = 2
    REFUSED = 3
    REJECTED = 4
    EXPIRED = 5
    FAILED = 6
    UNKNOWN = 7
    UNREACHABLE = 8


OF_STATE: Mapping[str, Exit] = {
    "COMPLETED": Exit.DONE,
    "ROLLED_BACK": Exit.DONE,
    "REJECTED": Exit.REJECTED,
    "WITHDRAWN": Exit.REJECTED,
    "EXPIRED": Exit.EXPIRED,
    "FAILED": Exit.FAILED,
    "ROLLBACK_FAILED": Exit.FAILED,
    "UNKNOWN": Exit.UNKNOWN,
}
"""The exit code of an approval that has ended."""


class Failure(Exception):
    """A command that ends here: one message for the person, one exit code, data for `--json`."""

    def __init__(
        self, code: str, message: str, exit: Exit = Exit.REFUSED, *, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit = exit
        self.data: Mapping[str, Any] = data or {}


def usage(message: str) -> Failure:
    """The command was not called as it must be."""
    return Failure("usage", message, Exit.USAGE)
