"""Salvage the valid part of a document by removing the parts in error.

One wrong key then does not hide an overlapping prefix elsewhere: one run reports all problems.

An entry cannot be without a required word, such as a client's `os`. It gets a stand-in, one after
the other each word that there is: what is wrong with the entry whichever it is, is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from lab.topology.model.topology import Topology
from lab.topology.reading.error_text import choices, existing, problem_of, without_tags
from lab.topology.reading.problems import Path, Problem, in_the_file

_DEFAULTS = {"name": "unnamed", "story": "", "vnets": {}}
"""Replace missing required keys at the top, so that the rest can still be checked."""
_NAMES: dict[tuple[str | int, str | int], str] = {
    ("clients", "behind"): "access",
    ("gateways", "vnet"): "vnets",
}
"""Required keys whose values are names, and where these are declared."""
_ANY = ("sharedKey",)
"""Required keys of which no rule looks at the value."""
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
    words: int = 1
    """How many documents there are, each with other words as stand-ins."""

    def in_the_file(self, problem: Problem) -> Problem:
        """The problem with the indices of list entries in the file."""
        return replace(problem, path=in_the_file(problem.path, self.kept))


def salvage(data: dict[str, Any], word: int = 0) -> Salvaged:
    """The valid part of a document, with the word of this number as stand-in.

    A key without a value is an error, too: whoever leaves it open
    means something by it, such as `allow:` nothing, where no `allow` means everything."""
    salvaged = _salvage(data, word)
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


def _salvage(data: dict[str, Any], word: int) -> Salvaged:
    """Validate; while there are errors, remove the parts in error and validate again.

    Only the errors of the first pass are reported: later ones are consequences.
    """
    invalid: set[Path] = set()
    problems: list[Problem] = []
    words: dict[Path, tuple[Any, ...]] = {}
    while True:
        kept: dict[Path, list[int]] = {}
        stand_ins = {path: known[word % len(known)] for path, known in words.items()}
        valid = _without(data, invalid, (), kept, stand_ins)
        try:
            topology = Topology.model_validate((_DEFAULTS | valid) if invalid else valid)
        except ValidationError as error:
            errors = error.errors(include_url=False)
            problems = problems or [problem_of(one, data) for one in errors]
            found = set()
            for one in errors:
                location = without_tags(one["loc"])
                known = _stand_ins(location, valid) if one["type"] == "missing" else ()
                if known:
                    place = in_the_file(location, kept)
                    words[place] = known
                    found.add(place)
                else:
                    found.add(_part_in_error(one["type"], location, valid, kept))
        else:
            most = max(map(len, words.values()), default=1)
            return Salvaged(topology, problems, frozenset(invalid), kept, most)
        if found <= invalid and not found & words.keys() - stand_ins.keys():
            return Salvaged(None, problems, frozenset(invalid), kept)
        invalid |= found


def _stand_ins(location: Path, valid: Any) -> tuple[Any, ...]:
    """What a missing value may be: a word, or a name of the file; none, if that is not known."""
    if location[-1] in _ANY:
        return ("stand-in",)
    names = valid.get(_NAMES.get((location[0], location[-1]), ""))
    return tuple(names) if isinstance(names, dict) else choices(location, valid)


def _part_in_error(kind: str, location: Path, valid: Any, kept: dict[Path, list[int]]) -> Path:
    """The part to remove: the value in error, or the mapping that lacks a key."""
    part = existing(location[:-1] if kind == "missing" else location, valid)
    path = in_the_file(part, kept)
    return path or location[:1]


def _without(
    node: Any,
    invalid: Iterable[Path],
    path: Path,
    kept: dict[Path, list[int]],
    stand_ins: Mapping[Path, Any],
) -> Any:
    if isinstance(node, dict):
        return {
            key: _without(value, invalid, (*path, key), kept, stand_ins)
            for key, value in node.items()
            if (*path, key) not in invalid
        } | {place[-1]: value for place, value in stand_ins.items() if place[:-1] == path}
    if isinstance(node, list):
        kept[path] = [index for index in range(len(node)) if (*path, index) not in invalid]
        return [
            _without(node[index], invalid, (*path, index), kept, stand_ins) for index in kept[path]
        ]
    return node
