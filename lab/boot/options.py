"""The parser of the launcher's own verbs, whose refusals look like those of every other verb."""

from __future__ import annotations

import argparse
from typing import NoReturn

from lab.errors import UsageError


class Options(argparse.ArgumentParser):
    """Raises UsageError where argparse ends the program."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{self.prog}: {message}", f"{self.prog} --help")
