"""A stream as a person has it before them: how wide it is, whether it has colours or can move."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from textwrap import TextWrapper
from typing import TextIO

from radius.printable import printable

USUAL_WIDTH = 80
"""Columns where neither a terminal nor COLUMNS says how many there are."""
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
        """Whether a line can be written anew."""
        self.width = _width(stream)
        forced = bool(os.environ.get("FORCE_COLOR"))
        self._coloured = not os.environ.get("NO_COLOR") and (forced or terminal)

    @classmethod
    def out(cls) -> Screen:
        """Of what is data."""
        return cls(sys.stdout)

    @classmethod
    def err(cls) -> Screen:
        """Of what is talk."""
        return cls(sys.stderr)

    def row(self, text: str, colour: str = "", *, coloured: int | None = None) -> None:
        """One line of at most the width; the colour is that of the first `coloured` characters."""
        text = clean(text)
        if len(text) > self.width:
            text = text[: self.width - 1] + "…"
        self._write([text], colour, coloured)

    def paragraph(
        self, text: str, colour: str = "", *, coloured: int | None = None, indent: int = 0
    ) -> None:
        """As many lines as it takes; the second and further ones are indented."""
        room = max(self.width, NARROWEST)
        wrap = TextWrapper(room, subsequent_indent=" " * indent)
        wrap.break_on_hyphens = wrap.break_long_words = False  # names of files stay whole
        self._write(wrap.wrap(clean(text)) or [""], colour, coloured)

    def flush(self) -> None:
        """Before the other stream goes on."""
        self._stream.flush()

    def move(self, text: str) -> None:
        """The line that moves, anew; an empty text takes it away."""
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
    """One line that does nothing to a terminal, whoever has written what is in it."""
    return printable(" ".join(text.split("\n")).replace("\t", " "), LONGEST)


def _width(stream: TextIO) -> int:
    columns = os.environ.get("COLUMNS", "")
    said = int(columns) if columns.isdecimal() else 0
    with suppress(OSError, ValueError):  # no terminal, or no file at all
        said = os.get_terminal_size(stream.fileno()).columns or said
    return max(said or USUAL_WIDTH, NARROWEST)
