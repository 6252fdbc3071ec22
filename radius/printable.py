"""Sanitises text that may come from a stranger; the only place that does.

It is in the lowest package, because all packages write logs.
"""

from __future__ import annotations

LONGEST = 512
"""Maximum characters of a name."""


def printable(text: str, longest: int = LONGEST) -> str:
    """The text as one line of at most `longest` characters, in which control characters, direction
    marks, other invisible characters and unpaired surrogates are replaced by question marks."""
    text = text[:longest]
    return text if is_printable(text) else "".join(c if is_printable(c) else "?" for c in text)


def is_printable(text: str) -> bool:
    """Whether all characters are visible, on one line; true for an empty text."""
    return text.isprintable()
