"""The parser of the launcher's own verbs, with errors in the form of the other verbs'."""

from __future__ import annotations

import argparse
from typing import NoReturn

from lab.errors import UsageError


class Options(argparse.ArgumentParser):
    """Raises UsageError where argparse ends the program."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UsageError(f"{self.prog}: {message}", f"{self.prog} --help")
