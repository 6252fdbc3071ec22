"""Who imports whom in our packages: `python3 tests/structure/graph.py` prints circles, folders by
floor and arrows. Standard library only. Imports within functions and for types alone count."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[2]
PACKAGES = ("radius", "gateway", "lab")
Graph = dict[str, set[str]]


def modules(source: Path = SOURCE) -> dict[str, Path]:
    """Every module by its dotted name; a package is its __init__.py."""
    found = {}
    for package in PACKAGES:
        for path in sorted((source / package).rglob("*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def graph(files: Mapping[str, Path]) -> Graph:
    """Module to the modules of ours that it imports, wherever in the file."""
    return {name: set(_imports(path, files)) - {name} for name, path in files.items()}


def _imports(path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for statement in ast.walk(ast.parse(path.read_text())):
        names: Iterable[str] = ()
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names = [f"{statement.module}.{alias.name}" for alias in statement.names]
        for name in names:
            if found := _module(name, files):
                yield found


def _module(name: str, files: Mapping[str, Path]) -> str:
    while name and name not in files:
        name = name.rpartition(".")[0]
    return name


def circles(arrows: Graph) -> list[list[str]]:
    """Ways that lead back to where they begin: each without the last step of those before it."""
    left = {name: set(others) for name, others in arrows.items()}
    found = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            way = error.args[1]  # each is imported by the next, and the first is the last
            found.append(way[::-1])
            left[way[1]].remove(way[0])
        else:
            return found


def floor_of(module: str, floors: tuple[str, ...]) -> str | None:
    """The entry of the table that is the longest beginning of a module's name."""
    fitting = [floor for floor in floors if f"{module}.".startswith(f"{floor}.")]
    return max(fitting, key=len, default=None)


def upwards(arrows: Graph, floors: tuple[str, ...]) -> list[str]:
    """Imports of something on a higher floor, in words; and modules that have none."""
    place = {floor: number for number, floor in enumerate(floors)}
    wrong = []
    for name, others in sorted(arrows.items()):
        here = floor_of(name, floors)
        if here is None:
            wrong.append(f"{name} is on no floor")
            continue
        for other in sorted(others):
            there = floor_of(other, floors)
            if there is not None and place[there] > place[here]:
                wrong.append(f"{name} imports {other}, which is above it")
    return wrong


def main() -> None:
    """Print it."""
    from tests.structure.floors import FLOORS

    files = modules()
    arrows = graph(files)
    print("circles:", *(" -> ".join(way) for way in circles(arrows)), sep="\n  ")
    print("upwards:", *upwards(arrows, FLOORS), sep="\n  ")
    counted: Counter[str] = Counter()
    between: dict[str, Counter[str]] = {floor: Counter() for floor in FLOORS}
    for name, others in arrows.items():
        here = floor_of(name, FLOORS)
        if here is None:
            continue
        counted[here] += 1
        between[here].update(
            there for other in others if (there := floor_of(other, FLOORS)) and there != here
        )
    print("floors, the lowest first: modules; arrows to others")
    for floor in FLOORS:
        to = ", ".join(f"{name} {number}" for name, number in between[floor].most_common())
        print(f"  {floor:32} {counted[floor]:3}; {to}")


if __name__ == "__main__":
    sys.path.insert(0, str(SOURCE))
    main()
