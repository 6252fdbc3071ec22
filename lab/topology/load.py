"""A topology file to a Topology, or a LoadError with everything that is wrong with it.

Order: bytes, text, YAML (document.py), model (model.py), whole-file rules (rules/), the user's
own certificate files. A file whose model has errors still meets the rules, without the parts
that are in error, so that one run tells all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from lab.topology.declared import Declared
from lab.topology.document import Document, DocumentError, read
from lab.topology.files import file_problems
from lab.topology.model import Topology
from lab.topology.problems import LoadError, Located, Path, Problem
from lab.topology.rules import rule_problems
from lab.topology.words import existing, problem_of, without_tags

MAXIMUM_BYTES = 1_000_000
_STARTING_POINT = "topologies/quickstart.yaml is one to start from"
_TO_GO_ON_WITH = {"name": "unnamed", "story": "", "vnets": {}}
"""Stands in for what is missing at the top, so that the rest can still be checked."""


def load(path: FilePath) -> Topology:
    """Read and check a topology file."""
    return load_bytes(_read(path), str(path), path.parent)


def load_bytes(content: bytes, file: str, base: FilePath) -> Topology:
    """Check a topology; `file` names it in messages, `base` is where its files are."""
    document = _document(content, file)
    problems = [Located(file, *flaw.mark, flaw.message, flaw.remedy) for flaw in document.flaws]
    topology, found = _check(document.data, base)
    for problem in found:
        mark = document.mark(problem.path, at_key=problem.at_key)
        problems.append(Located(file, *mark, problem.message, problem.remedy))
    if topology is None or problems:
        raise LoadError(file, problems)
    return topology


def _read(path: FilePath) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        raise _at_start(str(path), "no such file", _STARTING_POINT) from None
    except IsADirectoryError:
        raise _at_start(str(path), "a directory", "name a file in it") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise _at_start(
            str(path), f"cannot be read: {said}", "check the path and its permissions"
        ) from None


def _document(content: bytes, file: str) -> Document:
    if len(content) > MAXIMUM_BYTES:
        raise _at_start(
            file, f"larger than {MAXIMUM_BYTES // 1000} kB", "a topology is far smaller"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark_of(content[: error.start].decode("utf-8", "replace"))
        raise LoadError(
            file, [Located(file, *mark, "not UTF-8 text", "save it as UTF-8")]
        ) from None
    try:
        document = read(text)
    except DocumentError as error:
        flaw = Located(file, *error.mark, error.message, error.remedy)
        raise LoadError(file, [flaw]) from None
    if document.data is None:
        raise _at_start(file, "the file is empty", _STARTING_POINT)
    if not isinstance(document.data, dict):
        mark = document.mark(())
        said = "not a topology: the file must be a mapping (name: ..., story: ...)"
        raise LoadError(file, [Located(file, *mark, said, _STARTING_POINT)])
    return document


def _at_start(file: str, message: str, remedy: str) -> LoadError:
    return LoadError(file, [Located(file, 1, 1, message, remedy)])


def _mark_of(before: str) -> tuple[int, int]:
    """Line and column of what comes after the text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _check(data: dict[str, Any], base: FilePath) -> tuple[Topology | None, list[Problem]]:
    """The topology, if anything of it stands, and everything that is wrong."""
    rest = _sound_part(data)
    if rest.topology is None:
        return None, rest.problems
    declared = Declared.of(data, rest.unsound)
    found = [
        *rule_problems(rest.topology, declared),
        *file_problems(rest.topology, base),
    ]
    return rest.topology, rest.problems + [rest.in_the_file(problem) for problem in found]


@dataclass
class _SoundPart:
    """What is left of a document when the parts that are in error are taken out."""

    topology: Topology | None
    problems: list[Problem]
    unsound: frozenset[Path]
    kept: dict[Path, list[int]]
    """For each list, which of the file's entries are left."""

    def in_the_file(self, problem: Problem) -> Problem:
        """The problem with the indices that the entries have in the file."""
        path = _in_the_file(problem.path, self.kept)
        return Problem(path, problem.message, problem.remedy, problem.at_key)


def _sound_part(data: dict[str, Any]) -> _SoundPart:
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
            return _SoundPart(topology, problems, frozenset(unsound), kept)
        if fresh <= unsound:
            return _SoundPart(None, problems, frozenset(unsound), kept)
        unsound |= fresh


def _at_fault(kind: str, location: Path, sound: Any, kept: dict[Path, list[int]]) -> Path:
    """What to take out: the value in error, or the mapping in which something is missing."""
    part = existing(location[:-1] if kind == "missing" else location, sound)
    path = _in_the_file(part, kept)
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


def _in_the_file(path: Path, kept: dict[Path, list[int]]) -> Path:
    result: Path = ()
    for part in path:
        indices = kept.get(result)
        result = (*result, indices[part] if indices and isinstance(part, int) else part)
    return result
