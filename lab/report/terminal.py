"""The verdict and the progress as text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Self

from lab.choices import counted
from lab.errors import EXPECTATION_FAILED, HELD
from lab.report.screen import Screen
from lab.report.systems import cells, grid
from lab.report.told import benchmark, told
from lab.report.verdict import Verdict
from lab.runtime.protocol import Event, Stage, StepResult

if TYPE_CHECKING:
    from lab.topology.load import TopologyFile

INDENT = 8
"""Columns of indentation of a failure's details."""


class Progress:
    """One lab's progress on stderr: a progress line on a terminal, a line per stage in a log."""

    def __init__(self, expected: int = 0) -> None:
        self._screen = Screen.err()
        self._running: dict[str, None] = {}
        self._expected = expected
        self._seen = self._failed = 0

    def __enter__(self) -> Self:
        self._screen.move("starting")
        return self

    def __exit__(self, *_: object) -> None:
        self._screen.move("")

    def add(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Stage):
            self._stage(event)
        elif isinstance(event, StepResult):
            self._seen += 1
            self._failed += not event.held
        failed = f", {self._failed} FAILED" if self._failed else ""
        checked = f"{self._seen} of {self._expected} checked{failed}"
        self._screen.move(", ".join(self._running) or checked)

    def _stage(self, event: Stage) -> None:
        if event.state == "started":
            self._running[event.name] = None
            return
        self._running.pop(event.name, None)
        if not self._screen.moves:
            took = f"{event.seconds or 0:6.2f} s  {event.name}"
            self._screen.row(f"        {took}{f': {event.detail}' if event.detail else ''}", "dim")


def print_warnings(topologies: Iterable[TopologyFile]) -> None:
    """Print the warnings of topology files on stderr."""
    for topology in topologies:
        for warning in topology.warnings:
            Screen.err().paragraph(warning.as_warning, indent=INDENT)


def print_verdict(verdict: Verdict, *, every_row: bool = False) -> None:
    """Print the steps on stdout: a row for each that failed, with what the programs said, and one
    for those that held in between, or for each with `every_row`."""
    screen = Screen.out()
    if verdict.failure is not None:
        screen.flush()
        print_failure(verdict)
    if verdict.results:
        screen.row(f"{verdict.name} ({verdict.file})")
        _print_results(screen, verdict, every_row=every_row)
    for line in grid(cells(verdict.dials, verdict.in_order)):
        screen.row(f"  {line}")
    for line in _about(verdict):
        screen.paragraph(line, "dim", indent=2)
    if verdict.results or verdict.failure is None:
        _print_total(screen, verdict)
    for line in _next_steps(verdict):
        screen.paragraph(line, indent=4)
    screen.flush()


def print_summary(verdicts: Sequence[Verdict], seconds: float) -> None:
    """Print a row for each of several files, and the totals."""
    screen = Screen.out()
    screen.row("")
    for verdict in verdicts:
        word, colour = _word(verdict)
        held = f"{verdict.held:>3} of {verdict.expected:<3}"
        why = f": {verdict.failure.message}" if verdict.failure else ""
        row = f"{word:<8} {held} {verdict.seconds:7.1f} s  {verdict.file}{why}"
        screen.row(row, colour, coloured=len(word))
    failed = sum(verdict.failure is not None for verdict in verdicts)
    good = sum(verdict.code == HELD for verdict in verdicts)
    not_held = len(verdicts) - good - failed
    expected = counted(sum(v.expected for v in verdicts), "expectation")
    steps = f"{sum(v.held for v in verdicts)} of {expected}"
    screen.paragraph(
        f"{good} of {counted(len(verdicts), 'file')} held, {not_held} did not, {failed} failed; "
        f"{steps} in {seconds:.1f} s"
    )
    screen.flush()


def print_failure(verdict: Verdict) -> None:
    """Print on stderr why a lab was not built."""
    assert verdict.failure is not None
    screen = Screen.err()
    named = f"{verdict.name}:"
    screen.paragraph(f"{named} {verdict.failure.message}", "red", coloured=len(named), indent=2)
    if verdict.failure.remedy:
        screen.paragraph(f"  try: {verdict.failure.remedy}", indent=7)
    screen.flush()


def print_result(screen: Screen, place: str, result: StepResult) -> None:
    """Print a row for a step; for a failed one also its `place` and the programs' messages."""
    mark, colour = ("held", "green") if result.held else ("FAILED", "red")
    start = f"{mark:<6} {result.seconds:6.2f} s  "
    if result.held:
        row = f"{start}{result.text}: {result.detail}"
        screen.row(row, colour, coloured=len(mark))
        return
    title = f"{start}{place}: {result.text}" if place else f"{start}{result.text}"
    screen.paragraph(title, colour, coloured=len(mark), indent=INDENT)
    for line in told(result.detail, result.evidence, result.explanation):
        screen.paragraph(f"{'':{INDENT}}{line}", indent=INDENT + 2)


def _print_results(screen: Screen, verdict: Verdict, *, every_row: bool) -> None:
    for held, group in groupby(verdict.in_order, lambda result: result.held):
        results = list(group)
        if held and len(results) > 1 and not every_row:
            _print_folded(screen, verdict, results)
        else:
            for result in results:
                print_result(screen, verdict.place(result), result)


def _print_folded(screen: Screen, verdict: Verdict, results: Sequence[StepResult]) -> None:
    """One row for several steps that held. They may have been concurrent: the time is that from
    the begin of the first to the end of the last."""
    seconds = max(r.began + r.seconds for r in results) - min(r.began for r in results)
    known = [verdict.lines[r.index] for r in results if r.index < len(verdict.lines)]
    lines = f", lines {known[0]} to {known[-1]}" if known else ""
    row = f"held   {seconds:6.2f} s  {len(results)} steps{lines}"
    screen.row(row, "green", coloured=len("held"))


def _word(verdict: Verdict) -> tuple[str, str]:
    words = {HELD: ("HELD", "green"), EXPECTATION_FAILED: ("NOT HELD", "red")}
    return ("failed", "red") if verdict.failure else words[verdict.code]


def _about(verdict: Verdict) -> Iterator[str]:
    """The gateways' engines and scales, the clients' kernels, and remarks about the machine."""
    for engine in verdict.lab.get("engines", ()):
        yield f"{engine['gateway']}: {engine['protocol']}: {engine['datapath']}"
    yield from map(benchmark, verdict.lab.get("benchmarks", ()))
    yield from _kernels(verdict.lab.get("clients", ()))
    yield from verdict.machine


def _kernels(clients: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """The clients of each kernel, and why it is not the machine's."""
    of: dict[tuple[str, str], list[str]] = {}
    for client in clients:
        of.setdefault((client["kernel"], client.get("why", "")), []).append(client["name"])
    for (kernel, why), names in of.items():
        yield f"{', '.join(names)}: on {kernel}{f': {why}' if why else ''}"


def _print_total(screen: Screen, verdict: Verdict) -> None:
    word, colour = ("HELD", "green") if verdict.code == HELD else ("NOT HELD", "red")
    of = max(verdict.expected, len(verdict.results))
    row = f"{word}: {verdict.held} of {of} in {verdict.seconds:.1f} s"
    screen.row(row, colour, coloured=len(word))


def _next_steps(verdict: Verdict) -> list[str]:
    if verdict.kept:
        name = verdict.name
        return [f"  it is still up: p2slab shell --name {name} NODE; p2slab down {name}"]
    return [f"  logs: {verdict.logs}"] if verdict.logs and verdict.code else []
