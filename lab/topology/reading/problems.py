"""What is wrong with a topology: by its path in the document, then by its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.choices import listing
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
