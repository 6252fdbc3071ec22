"""What is wrong with a topology: by its path in the document, then by its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches

from lab.errors import UsageError

Path = tuple[str | int, ...]
"""Keys and indices from the top of the document."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what would be right."""

    path: Path
    message: str
    remedy: str = ""
    at_key: bool = False
    """Whether the key itself is meant, and not the value that stands behind it."""


@dataclass(frozen=True, order=True)
class Located:
    """A problem at its place; line and column from 1."""

    file: str
    line: int
    column: int
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{tail}"


class LoadError(UsageError):
    """Everything that is wrong with topology files, at once."""

    def __init__(self, problems: Iterable[Located]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        what = listing(sorted({problem.file for problem in self.problems}))
        title = f"{what} cannot be used: {count} problem{'s' if count > 1 else ''}"
        super().__init__("\n".join([title, *map(str, self.problems)]))


def in_the_file(path: Path, kept: Mapping[Path, Sequence[int]]) -> Path:
    """The path with the indices that list entries have in the file.

    `kept` says for each list which of the file's entries are left.
    """
    result: Path = ()
    for part in path:
        indices = kept.get(result)
        result = (*result, indices[part] if indices and isinstance(part, int) else part)
    return result


_MOST_TO_COMPARE = 200
"""Comparing takes 10 us a word, and a file may have thousands of mistakes."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or what there is to choose from."""
    words = sorted(known) if isinstance(known, AbstractSet) else list(known)
    if not words:
        return "there are none"
    folded = {word.casefold(): word for word in words}
    if len(words) > _MOST_TO_COMPARE:
        return f"there are {listing(words)}"
    close = get_close_matches(wrong.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    return f"there is {listing(words)}" if len(words) == 1 else f"there are {listing(words)}"


def listing(words: Sequence[str], most: int = 12) -> str:
    """`a, b and c`, shortened when there are many."""
    shown = list(words[:most])
    if len(words) > most:
        return ", ".join(shown) + f" and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
