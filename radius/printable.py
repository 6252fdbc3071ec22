"""Text that a stranger may have written, fit to be shown to people: the one place that makes it so.

It stands in the lowest package, because all of them write logs.
"""

from __future__ import annotations

LONGEST = 512
"""Characters of a name; more of it helps nobody."""


def printable(text: str, longest: int = LONGEST) -> str:
    """One line without control characters, marks of direction, other characters that do not show,
    or unpaired surrogates: each is a question mark. Cut at `longest` characters."""
    text = text[:longest]
    return text if is_printable(text) else "".join(c if is_printable(c) else "?" for c in text)


def is_printable(text: str) -> bool:
    """Whether all of it shows, on one line; an empty text does."""
    return text.isprintable()
