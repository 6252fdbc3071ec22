"""Salvage the valid part of a document by removing the parts in error.

One wrong key then does not hide an overlapping prefix elsewhere: one run reports all problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from lab.topology.model.topology import Topology
from lab.topology.reading.error_text import existing, problem_of, without_tags
from lab.topology.reading.problems import Path, Problem, in_the_file

_DEFAULTS = {"name": "unnamed", "story": "", "vnets": {}}
"""Replace missing required keys at the top, so that the rest can still be checked."""
_REMEDY = "give one, or leave the key out"


@dataclass
class Salvaged:
    """The valid part of a topology, and the problems of the rest."""

    topology: Topology | None
    problems: list[Problem]
    invalid: frozenset[Path]
    """The parts that were removed."""
    kept: dict[Path, list[int]]
    """For each list, the file's indices of the entries that remain."""

    def in_the_file(self, problem: Problem) -> Problem:
        """The problem with the indices of list entries in the file."""
        return replace(problem, path=in_the_file(problem.path, self.kept))


def salvage(data: dict[str, Any]) -> Salvaged:
    """The valid part of a document. A key without a value is an error, too: whoever leaves it open
    means something by it, such as `allow:` nothing, where no `allow` means everything."""
    salvaged = _salvage(data)
    told = {problem.path for problem in salvaged.problems} | salvaged.invalid
    empty = [
        path
        for path in _empty_values(data, ())
        if not any(path[:length] in told for length in range(len(path) + 1))
    ]
    problems = [Problem(path, f"{path[-1]!r} has no value", _REMEDY) for path in empty]
    return replace(
        salvaged,
        problems=salvaged.problems + problems,
        invalid=salvaged.invalid | frozenset(empty),
    )


def _empty_values(node: Any, path: Path) -> Iterator[Path]:
    """Of Azure's documents none: there, null is as good as absent."""
    if isinstance(node, dict):
        for key, value in node.items():
            if value is None:
                yield (*path, key)
            elif key != "properties":
                yield from _empty_values(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _empty_values(value, (*path, index))


def _salvage(data: dict[str, Any]) -> Salvaged:
    """Validate; while there are errors, remove the parts in error and validate again.

    Only the errors of the first pass are reported: later ones are consequences.
    """
    invalid: set[Path] = set()
    problems: list[Problem] = []
    while True:
        kept: dict[Path, list[int]] = {}
        valid = _without(data, invalid, (), kept)
        try:
            topology = Topology.model_validate((_DEFAULTS | valid) if invalid else valid)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            problems = problems or [problem_of(one, data) for one in errors]
            found = {
                _part_in_error(one["type"], without_tags(one["loc"]), valid, kept) for one in errors
            }
        else:
            return Salvaged(topology, problems, frozenset(invalid), kept)
        if found <= invalid:
            return Salvaged(None, problems, frozenset(invalid), kept)
        invalid |= found


def _part_in_error(kind: str, location: Path, valid: Any, kept: dict[Path, list[int]]) -> Path:
    """The part to remove: the value in error, or the mapping that lacks a key."""
    part = existing(location[:-1] if kind == "missing" else location, valid)
    path = in_the_file(part, kept)
    return path or location[:1]


def _without(node: Any, invalid: Iterable[Path], path: Path, kept: dict[Path, list[int]]) -> Any:
    if isinstance(node, dict):
        return {
            key: _without(value, invalid, (*path, key), kept)
            for key, value in node.items()
            if (*path, key) not in invalid
        }
    if isinstance(node, list):
        kept[path] = [index for index in range(len(node)) if (*path, index) not in invalid]
        return [_without(node[index], invalid, (*path, index), kept) for index in kept[path]]
    return node
