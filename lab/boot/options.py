"""The parser of the launcher's own verbs, with errors in the form of the other verbs'."""

from __future__ import annotations

import argparse
from typing import NoReturn

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
