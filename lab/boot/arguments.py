"""A look at the command line, as short as can be: the verbs themselves parse it inside the root."""

from __future__ import annotations

import os
from typing import NamedTuple

from lab.boot.enter import REPLACED, is_replaced
from lab.errors import UsageError

# Verbs that only read and print: one mapped user is enough for them.
_UNPRIVILEGED = ("validate", "schema")
_ENTERING = ("exec", "shell")
_HELP = ("-h", "--help")


class Call(NamedTuple):
    """A command line: the verb, what follows it, and all that is handed on."""

    verb: str
    own: list[str]
    arguments: list[str]
    install: bool = True

    @classmethod
    def of(cls, arguments: list[str]) -> Call:
        """Take a command line apart; `--no-install`, before the verb, is the launcher's own."""
        at = next((n for n, word in enumerate(arguments) if not word.startswith("-")), None)
        leading = arguments if at is None else arguments[:at]
        kept = [word for word in leading if word != "--no-install"]
        verb, own = ("", []) if at is None else (arguments[at], arguments[at + 1 :])
        handed_on = kept if at is None else [*kept, verb, *own]
        return cls(verb, own, handed_on, len(kept) == len(leading))

    @property
    def wants_help_only(self) -> bool:
        """Whether nothing is asked but the list of verbs."""
        return not self.arguments or self.arguments[0] in _HELP

    @property
    def unprivileged(self) -> bool:
        """Whether the verb needs no more than reading files."""
        helps = self.wants_help_only or any(word in _HELP for word in self.own[:1])
        return helps or self.verb in _UNPRIVILEGED

    @property
    def enters_lab(self) -> bool:
        """Whether the verb goes into a node of a running lab."""
        return self.verb in _ENTERING


def refuse_hidden_files(call: Call, shown: list[str]) -> None:
    """Refuse a file argument that the private root would show as another file, or not at all.

    `shown` are directories that stay visible to a relative name. What exec and shell are given
    means files of the node.
    """
    if call.enters_lab:
        return
    below = tuple(os.path.realpath(directory) + "/" for directory in shown)
    for word in call.own:
        path = word.split("=", 1)[1] if word.startswith("--") and "=" in word else word
        if not _means_file(path) or not is_replaced(path):
            continue
        real = os.path.realpath(path)
        if not os.path.isabs(path) and real.startswith(below):
            continue  # it is seen below /var/host, and the verb runs there
        raise UsageError(
            f"{path} lies under {_replaced_by(real)}, which in a lab is the private root's own",
            "copy the file to your home directory, or to /tmp, and name it there",
        )


def _means_file(word: str) -> bool:
    return os.path.isabs(word) or os.path.lexists(word) or word.startswith("../")


def _replaced_by(real: str) -> str:
    return next(directory for directory in REPLACED if (real + "/").startswith(directory + "/"))
