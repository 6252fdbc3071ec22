"""Lists of choices, and numbers, in messages. Standard library only: the launcher uses it for
verbs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

_MOST_TO_COMPARE = 200
"""Comparing takes 10 us per word, and a file may have thousands of mistakes."""


def spelling(names: Iterable[str]) -> dict[str, str]:
    """Names in lower case to their spelling; of those that differ by case only, the first."""
    return {name.casefold(): name for name in reversed(list(names))}


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or the list of known words."""
    words = sorted(known) if isinstance(known, AbstractSet) else list(known)
    if not words:
        return "there are none"
    folded = {word.casefold(): word for word in words}
    if len(words) > _MOST_TO_COMPARE:
        return f"there are {listing(words)}"
    from difflib import get_close_matches  # noqa: PLC0415 (most calls need no suggestion)

    close = get_close_matches(wrong.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    return f"there is {listing(words)}" if len(words) == 1 else f"there are {listing(words)}"


def listing(words: Sequence[str], most: int = 12) -> str:
    """`a, b and c`, shortened when there are many; `nothing`, where there are none."""
    shown = list(words[:most]) or ["nothing"]
    if len(words) > most:
        return ", ".join(shown) + f" and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def counted(number: int, noun: str) -> str:
    """`1 client`, `2 clients`; `1 of 3 packets` has the noun of the second number."""
    return f"{number} {noun if number == 1 else noun + 's'}"
