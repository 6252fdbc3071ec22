"""What is left of a document when the parts that are in error are taken out.

So one wrong key does not hide an overlapping prefix elsewhere: all problems at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from lab.topology.model.topology import Topology
from lab.topology.reading.error_text import existing, problem_of, without_tags
from lab.topology.reading.problems import Path, Problem, in_the_file

_TO_GO_ON_WITH = {"name": "unnamed", "story": "", "vnets": {}}
"""Stands in for what is missing at the top, so that the rest can still be checked."""


@dataclass
class SoundPart:
    """A topology that is valid as far as it goes, and what was wrong with the rest."""

    topology: Topology | None
    problems: list[Problem]
    unsound: frozenset[Path]
    kept: dict[Path, list[int]]
    """For each list, which of the file's entries are left."""

    def in_the_file(self, problem: Problem) -> Problem:
        """The problem with the indices that the entries have in the file."""
        return replace(problem, path=in_the_file(problem.path, self.kept))


def sound_part(data: dict[str, Any]) -> SoundPart:
    """Validate; while there are errors, take the parts in error out and validate again.

    The errors of the first time are what is told: later ones are consequences.
    """
    unsound: set[Path] = set()
    problems: list[Problem] = []
    while True:
        kept: dict[Path, list[int]] = {}
        sound = _without(data, unsound, (), kept)
        try:
            topology = Topology.model_validate((_TO_GO_ON_WITH | sound) if unsound else sound)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            problems = problems or [problem_of(one, data) for one in errors]
            fresh = {
                _at_fault(one["type"], without_tags(one["loc"]), sound, kept) for one in errors
            }
        else:
            return SoundPart(topology, problems, frozenset(unsound), kept)
        if fresh <= unsound:
            return SoundPart(None, problems, frozenset(unsound), kept)
        unsound |= fresh


def _at_fault(kind: str, location: Path, sound: Any, kept: dict[Path, list[int]]) -> Path:
    """What to take out: the value in error, or the mapping in which something is missing."""
    part = existing(location[:-1] if kind == "missing" else location, sound)
    path = in_the_file(part, kept)
    return path or location[:1]


def _without(node: Any, unsound: Iterable[Path], path: Path, kept: dict[Path, list[int]]) -> Any:
    if isinstance(node, dict):
        return {
            key: _without(value, unsound, (*path, key), kept)
            for key, value in node.items()
            if (*path, key) not in unsound
        }
    if isinstance(node, list):
        kept[path] = [index for index in range(len(node)) if (*path, index) not in unsound]
        return [_without(node[index], unsound, (*path, index), kept) for index in kept[path]]
    return node
