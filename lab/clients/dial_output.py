"""What the programs of one dial write into a log, which has earlier dials too and is kept small."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from gateway.common.rotation import whole

if TYPE_CHECKING:
    from pathlib import Path

FIRST = 256 << 10
"""Characters of a dial that are remembered: in these its tunnel comes up."""
NEW_LINE = "\n"


class DialOutput:
    """The output of a dial, from a mark in its log on; the mark is to be written first."""

    def __init__(self) -> None:
        self.mark = f"dial {secrets.token_hex(8)}"
        self.log: Path | None = None
        """The log, once it is known."""
        self._first: str | None = None

    def __call__(self) -> str:
        """What is kept of it: its beginning, and the end; where something is left out between them,
        whole lines."""
        if self.log is None:
            return ""
        text = whole(self.log)
        _, found, output = text.partition(f"{self.mark}\n")
        if found:
            self._first = output[:FIRST]
            return output
        # The mark is not written yet, or no longer kept: then all that is kept came after it.
        if self._first is None:
            return ""
        return f"{self._first.rpartition(NEW_LINE)[0]}\n{text.partition(NEW_LINE)[2]}"
