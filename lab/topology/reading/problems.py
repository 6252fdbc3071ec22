"""Problems of a topology: by path in the document, then by line and column in the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.choices import counted, listing
from lab.errors import UsageError

Path = tuple[str | int, ...]
"""Keys and indices from the top of the document."""


@dataclass(frozen=True)
class Problem:
    """One problem and its remedy."""

    path: Path
    message: str
    remedy: str = ""
    at_key: bool = False
    """Whether the problem is the key itself, not its value."""


@dataclass(frozen=True, order=True)
class Located:
    """A problem and its position; line and column from 1."""

    file: str
    line: int
    column: int
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return self.line_of("")

    @property
    def as_warning(self) -> str:
        """As compilers print a warning: nothing is refused."""
        return self.line_of("warning: ")

    def line_of(self, severity: str) -> str:
        """FILE:LINE:COLUMN: SEVERITY MESSAGE; REMEDY."""
        tail = f"; {self.remedy}" if self.remedy else ""
        return f"{self.file}:{self.line}:{self.column}: {severity}{self.message}{tail}"


class LoadError(UsageError):
    """All problems of one or more topology files."""

    def __init__(self, problems: Iterable[Located]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        what = listing(sorted({problem.file for problem in self.problems}))
        title = f"{what} cannot be used: {counted(count, 'problem')}"
        super().__init__("\n".join([title, *map(str, self.problems)]))


class StepsError(UsageError):
    """All problems of steps that were to be executed; the first part of a path is the step's
    index."""

    def __init__(self, problems: Iterable[Problem], count: int) -> None:
        self.problems = tuple(problems)
        self.count = count
        if count == 1 and len(self.problems) == 1:
            super().__init__(self.problems[0].message, self.problems[0].remedy or None)
        else:
            super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """Each problem with the number of its step."""
        return [
            f"step {int(one.path[0]) + 1}: {one.message}{f'; {one.remedy}' if one.remedy else ''}"
            for one in self.problems
        ]


def in_the_file(path: Path, kept: Mapping[Path, Sequence[int]]) -> Path:
    """The path with the indices of list entries in the file.

    `kept` has, for each list, the file's indices of the entries that remain.
    """
    result: Path = ()
    for part in path:
        indices = kept.get(result)
        result = (*result, indices[part] if indices and isinstance(part, int) else part)
    return result
