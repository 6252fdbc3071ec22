"""Output on a terminal or into a file: width, colours, and a progress line."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from textwrap import TextWrapper
from typing import TextIO

from radius.printable import printable

USUAL_WIDTH = 80
"""Columns if neither a terminal nor COLUMNS gives a width."""
NARROWEST = 40
COLOURS = {"green": "32", "red": "31", "dim": "2"}
LONGEST = 20_000
"""Characters of one paragraph."""


class Screen:
    """stdout or stderr. NO_COLOR and FORCE_COLOR are obeyed (no-color.org, force-color.org)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.moves = terminal
        """Whether a line can be overwritten."""
        self.width = _width(stream)
        forced = bool(os.environ.get("FORCE_COLOR"))
        self._coloured = not os.environ.get("NO_COLOR") and (forced or terminal)

    @classmethod
    def out(cls) -> Screen:
        """stdout, for data."""
        return cls(sys.stdout)

    @classmethod
    def err(cls) -> Screen:
        """stderr, for messages."""
        return cls(sys.stderr)

    def row(self, text: str, colour: str = "", *, coloured: int | None = None) -> None:
        """One line, cut to the width; the colour applies to the first `coloured` characters."""
        text = clean(text)
        if len(text) > self.width:
            text = text[: self.width - 1] + "…"
        self._write([text], colour, coloured)

    def paragraph(
        self, text: str, colour: str = "", *, coloured: int | None = None, indent: int = 0
    ) -> None:
        """Wrapped text; all lines but the first are indented."""
        room = max(self.width, NARROWEST)
        wrap = TextWrapper(room, subsequent_indent=" " * indent)
        wrap.break_on_hyphens = wrap.break_long_words = False  # file names stay whole
        self._write(wrap.wrap(clean(text)) or [""], colour, coloured)

    def flush(self) -> None:
        """Flush, before the other stream is written."""
        self._stream.flush()

    def move(self, text: str) -> None:
        """Overwrite the progress line; an empty text removes it."""
        if self.moves:
            self._stream.write(f"\r\x1b[K{clean(text)[: self.width - 1]}")
            self._stream.flush()

    def _write(self, lines: list[str], colour: str, coloured: int | None) -> None:
        if colour and self._coloured:
            first = lines[0]
            end = len(first) if coloured is None else coloured
            lines[0] = f"\x1b[{COLOURS[colour]}m{first[:end]}\x1b[0m{first[end:]}"
        self._stream.write("\n".join(lines) + "\n")


def clean(text: str) -> str:
    """The text on one line, without control characters: it may come from untrusted programs."""
    return printable(" ".join(text.split("\n")).replace("\t", " "), LONGEST)


def _width(stream: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() else 0
    with suppress(OSError, ValueError):  # not a terminal, or not a file
        width = os.get_terminal_size(stream.fileno()).columns or width
    return max(width or USUAL_WIDTH, NARROWEST)
