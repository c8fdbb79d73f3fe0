"""What goes wrong because of what was asked, and the statuses the command exits with."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitStatus(IntEnum):
    """What the command's exit status says (the contract's four words)."""

    DONE = 0
    ANSWER_IS_NO = 1
    USAGE = 2
    INCONCLUSIVE = 3


class UsageError(Exception):
    """The question was wrong: one line that names the argument, what was found, and the mend.

    Parameters
    ----------
    argument
        What the user wrote it in: an option (``-N``), a key (``sweep.groups``) or a file.
    found
        What is wrong with it.
    mend
        What to do about it.
    """

    def __init__(self, argument: str, found: str, mend: str) -> None:
        super().__init__(" ".join(f"{argument}: {found}; {mend}".split()))
        self.argument = argument
        self.found = found
        self.mend = mend


class Stopped(Exception):  # noqa: N818 - an event, no error of the program
    """A signal ended the command; the line to say, and the status that tells which."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant, or list them all.

    >>> nearest("natve", ["native", "naive", "cpp"])
    "did you mean 'native'?"
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
