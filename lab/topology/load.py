"""Load a topology file: a Topology, or a LoadError with every problem in the file.

Order: bytes, text, YAML (reading/document.py), Azure's documents (reading/azure.py), models
(model/), rules over the whole file (rules/), the user's own certificate files. If parts of the file
do not validate, the rules still check the rest (reading/salvage.py), so that one run reports all
problems.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from lab.boot.enter import outside
from lab.boot.source import EXAMPLE
from lab.choices import spelling
from lab.errors import UsageError
from lab.topology.chosen import chosen
from lab.topology.model.steps import Step, Steps, text_of
from lab.topology.model.topology import Topology
from lab.topology.planning.plan import Plan
from lab.topology.planning.planner import make_plan
from lab.topology.planning.spelling import declared_nodes, respelled, respelled_step
from lab.topology.reading.azure import Taken, take
from lab.topology.reading.document import Document, DocumentError, read
from lab.topology.reading.error_text import problem_of
from lab.topology.reading.files import file_problems
from lab.topology.reading.problems import LoadError, Located, Path, Problem, StepsError
from lab.topology.reading.salvage import Salvaged, salvage
from lab.topology.reading.sentence import step_of
from lab.topology.reading.uploaded import uploaded_root_problems
from lab.topology.rules import rule_problems, rule_warnings, step_problems
from lab.topology.rules.declared import Declared

MAXIMUM_BYTES = 1_000_000
_STARTING_POINT = f"start from {EXAMPLE}"
_A_MAPPING = "write it like {key: value}"
_A_STEP = "write steps into it, such as - {connects: alice}"


@dataclass(frozen=True)
class TopologyFile:
    """A valid topology, and the file that it came from."""

    path: FilePath
    topology: Topology
    lines: tuple[int, ...] = ()
    """The line of each step of `expect:`."""
    warnings: tuple[Located, ...] = ()
    """What builds, and works otherwise than its author may expect."""
    whole: TopologyFile | None = None
    """The topology with all steps, if this one has only chosen ones."""

    def plan(self) -> Plan:
        """The plan of the lab."""
        return make_plan(self.topology, self.path.parent)


def load(path: FilePath) -> TopologyFile:
    """Read and check a topology file; LoadError."""
    document = _document(_read(path), outside(path))
    file = outside(path)
    topology, taken = _checked(document, file, path.parent)
    steps = range(len(topology.expect))
    lines = tuple(document.mark(("expect", n))[0] for n in steps)
    warnings = (located for problem in rule_warnings(topology) for located in taken.locate(problem))
    return TopologyFile(path, topology, lines, tuple(warnings))


def load_all(paths: Iterable[FilePath]) -> list[TopologyFile]:
    """Read and check several files; one LoadError with the problems of all."""
    loaded: list[TopologyFile] = []
    problems: list[Located] = []
    for path in paths:
        try:
            loaded.append(load(path))
        except LoadError as error:
            problems += error.problems
    if problems:
        raise LoadError(problems)
    return loaded


def load_mapping(source: FilePath | bytes, file: str = "") -> dict[str, Any]:
    """A mapping from a file, or from text that messages call `file`; LoadError."""
    if isinstance(source, bytes):
        document = _composed(source, file, _A_MAPPING)
    else:
        file = outside(source)
        document = _composed(_read(source, _A_MAPPING), file, _A_MAPPING)
    flaws = [Located(file, *flaw.mark, flaw.message, flaw.remedy) for flaw in document.flaws]
    if not isinstance(document.data, dict):
        flaws.append(Located(file, *document.mark(()), "not a mapping", _A_MAPPING))
    if flaws:
        raise LoadError(flaws)
    mapping: dict[str, Any] = document.data
    return mapping


def load_bytes(content: bytes, file: str, base: FilePath) -> Topology:
    """Check a topology; `file` is its name in messages, `base` the directory of its files."""
    topology, _ = _checked(_document(content, file), file, base)
    return topology


def checked_steps(topology: Topology, documents: Sequence[Any]) -> list[Step]:
    """Check steps for a running lab of this topology; StepsError with every problem."""
    nodes = spelling(declared_nodes(topology.model_dump(exclude={"expect", "faults"})))
    data = {"expect": [respelled_step(document, nodes) for document in documents]}
    problems: list[Problem] = []
    valid: dict[int, Step] = {}
    for index, document in enumerate(data["expect"]):
        try:
            (valid[index],) = Steps.validate_python([document])
        except ValidationError as error:
            for flaw in error.errors(include_url=False):
                flaw["loc"] = ("expect", index, *flaw["loc"][1:])
                problems.append(problem_of(flaw, data))
    indices = list(valid)
    running = topology.model_copy(update={"expect": tuple(valid.values()), "faults": ()})
    declared = Declared.of(topology.model_dump(exclude={"expect", "faults"}), frozenset(), {})
    for one in step_problems(running, declared):
        _, position, *rest = one.path
        problems.append(replace(one, path=("expect", indices[int(position)], *rest)))
    if problems:
        problems.sort(key=lambda problem: int(problem.path[1]))
        raise StepsError([replace(one, path=one.path[1:]) for one in problems], len(data["expect"]))
    return list(valid.values())


def with_chosen_steps(
    topologies: Sequence[TopologyFile], words: str | None, numbers: Sequence[str]
) -> list[TopologyFile]:
    """The topologies with some of their steps (lab.topology.chosen); UsageError if one of them has
    none of these."""
    found = []
    for each in topologies:
        steps = each.topology.expect
        try:
            indices = chosen([text_of(step) for step in steps], words, numbers)
        except UsageError as error:
            raise UsageError(f"{outside(each.path)}: {error.message}", error.remedy) from None
        topology = each.topology.model_copy(update={"expect": [steps[index] for index in indices]})
        lines = tuple(each.lines[index] for index in indices)
        found.append(replace(each, topology=topology, lines=lines, whole=each))
    return found


@dataclass(frozen=True)
class StepsFile:
    """A file of steps for a running lab."""

    file: str
    document: Document
    at: Path
    """The path of the list: empty, or `expect`."""
    steps: list[Any]

    @property
    def places(self) -> list[str]:
        """The FILE:LINE of each step."""
        marks = (self.document.mark((*self.at, index)) for index in range(len(self.steps)))
        return [f"{self.file}:{line}" for line, _ in marks]

    def refused(self, error: StepsError) -> LoadError:
        """The problems of its steps, with their places."""
        return LoadError(
            Located(
                self.file,
                *self.document.mark((*self.at, *one.path), at_key=one.at_key),
                one.message,
                one.remedy,
            )
            for one in error.problems
        )


def load_steps(path: FilePath) -> StepsFile:
    """Read a list of steps, or a mapping with `expect:` alone; LoadError. A step may also be a
    sentence (lab.topology.reading.sentence)."""
    file = outside(path)
    document = _composed(_read(path, _A_STEP), file, _A_STEP)
    data = document.data
    inside = isinstance(data, dict) and list(data) == ["expect"]
    data, at = (data["expect"], ("expect",)) if inside else (data, ())
    flaws = [Located(file, *flaw.mark, flaw.message, flaw.remedy) for flaw in document.flaws]
    if not isinstance(data, list) or not data:
        message = "a file of steps must be a list of steps, or `expect:` with one and nothing else"
        flaws.append(Located(file, *document.mark(at), message, "- {connects: alice}"))
    if flaws:
        raise LoadError(flaws)
    steps = []
    for index, step in enumerate(data):
        try:
            steps.append(step_of(step) if isinstance(step, str) else step)
        except UsageError as error:
            mark = document.mark((*at, index))
            flaws.append(Located(file, *mark, error.message, error.remedy or ""))
    if flaws:
        raise LoadError(flaws)
    return StepsFile(file, document, at, steps)


def refuse_empty(topologies: Iterable[TopologyFile]) -> None:
    """LoadError if a topology expects nothing: it could not fail."""
    problems = []
    for found in topologies:
        client = next(iter(found.topology.clients), "alice")
        if not found.topology.expect:
            message = "nothing is expected, so there is nothing to verify"
            remedy = f"add, for example: expect: [{{connects: {client}}}]"
            problems.append(Located(outside(found.path), 1, 1, message, remedy))
    if problems:
        raise LoadError(problems)


def _checked(document: Document, file: str, base: FilePath) -> tuple[Topology, Taken]:
    problems = [Located(file, *flaw.mark, flaw.message, flaw.remedy) for flaw in document.flaws]
    taken = take(document, file, base)
    problems += taken.problems
    topology, found = _check(respelled(taken.data), base)
    problems += (located for problem in found for located in taken.locate(problem))
    if topology is None or problems:
        raise LoadError(problems)
    return topology, taken


def _read(path: FilePath, start: str = _STARTING_POINT) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        raise _at_start(outside(path), "no such file", start) from None
    except IsADirectoryError:
        raise _at_start(outside(path), "a directory", "name a file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _at_start(
            outside(path), f"cannot be read: {reason}", "check the path and its permissions"
        ) from None


def _composed(content: bytes, file: str, start: str = _STARTING_POINT) -> Document:
    if len(content) > MAXIMUM_BYTES:
        raise _at_start(
            file, f"larger than {MAXIMUM_BYTES // 1000} kB", "a topology is far smaller"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        mark = _mark_of(content[: error.start].decode("utf-8", "replace"))
        raise LoadError([Located(file, *mark, "not UTF-8 text", "save it as UTF-8")]) from None
    try:
        document = read(text)
    except DocumentError as error:
        flaw = Located(file, *error.mark, error.message, error.remedy)
        raise LoadError([flaw]) from None
    if document.data is None:
        raise _at_start(file, "the file is empty", start)
    return document


def _document(content: bytes, file: str) -> Document:
    document = _composed(content, file)
    if not isinstance(document.data, dict):
        mark = document.mark(())
        message = "not a topology: the file must be a mapping (name: ..., story: ...)"
        raise LoadError([Located(file, *mark, message, _STARTING_POINT)])
    return document


def _at_start(file: str, message: str, remedy: str) -> LoadError:
    return LoadError([Located(file, 1, 1, message, remedy)])


def _mark_of(before: str) -> tuple[int, int]:
    """Line and column of the character after the text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _check(data: dict[str, Any], base: FilePath) -> tuple[Topology | None, list[Problem]]:
    """The topology (None if none of it is valid) and all problems."""
    salvaged = salvage(data)
    topology = salvaged.topology
    if topology is None:
        return None, salvaged.problems
    found = [
        *_told_of_each([salvaged, *(salvage(data, n) for n in range(1, salvaged.words))], data),
        *file_problems(topology, base),
        *uploaded_root_problems(topology, base),
    ]
    return topology, salvaged.problems + [salvaged.in_the_file(problem) for problem in found]


def _told_of_each(documents: Iterable[Salvaged], data: dict[str, Any]) -> list[Problem]:
    """What the rules find in all of them."""
    told = [
        list(rule_problems(one.topology, Declared.of(data, one.invalid, one.kept)))
        for one in documents
        if one.topology
    ]
    always = set(told[0]).intersection(*told[1:])
    return [problem for problem in told[0] if problem in always]
