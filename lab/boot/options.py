"""The parser of the launcher's own verbs, with errors in the form of the other verbs'."""

from __future__ import annotations

import argparse
import os
from typing import NoReturn

from lab.boot.arguments import EMPTY
from lab.boot.verbs import VERBS
from lab.errors import UsageError


class Options(argparse.ArgumentParser):
    """Raises UsageError where argparse ends the program."""

    def format_help(self) -> str:
        """The help; that of a verb ends with its examples."""
        row = VERBS.get(self.prog.partition(" ")[2])
        lines = [f"  p2slab {example}\n" for example in row.examples] if row else []
        return super().format_help() + ("\nexamples:\n" + "".join(lines) if lines else "")

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{self.prog}: {message}", f"{self.prog} --help")


def file_name(word: str) -> str:
    """The name of a file; for add_argument's `type`."""
    if not word:
        raise argparse.ArgumentTypeError(EMPTY)
    return word


def new_file(word: str) -> str:
    """The name of a file to write; UsageError before the work, if it cannot be one."""
    target = os.path.abspath(file_name(word))
    if os.path.exists(target) and not os.path.isfile(target):  # a device would be replaced
        raise UsageError(f"{word} exists and is no regular file", "name another")
    if not os.path.isdir(os.path.dirname(target)):
        raise UsageError(f"{os.path.dirname(target)}: no such directory", "make it first")
    return word
