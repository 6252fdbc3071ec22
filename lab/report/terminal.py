"""The verdict and the progress towards it, for a person: rich on a terminal, else plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.errors import HELD
from lab.runtime.protocol import Event, Stage, StepResult

if TYPE_CHECKING:
    from rich.status import Status

    from lab.report.verdict import Verdict


PLAIN_WIDTH = 140
"""Columns where no terminal says how many there are."""


class Progress:
    """Tells on stderr what the lab is doing: one moving line on a terminal, else a line a stage."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._running: dict[str, None] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def add(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Stage):
            self._stage(event)
        elif isinstance(event, StepResult):
            mark = "[green]held  [/]" if event.held else "[red]FAILED[/]"
            self._console.print(f"{mark} {escape(event.text)}  [dim]{event.seconds:.2f} s[/]")

    def _stage(self, event: Stage) -> None:
        if event.state == "started":
            self._running[event.name] = None
        else:
            self._running.pop(event.name, None)
            said = f"  {escape(event.detail)}" if event.detail else ""
            self._console.print(f"[dim]{event.name}  {event.seconds or 0:.2f} s[/]{said}")
        if self._status is not None:
            self._status.update(", ".join(self._running) or "checking")


def print_verdict(verdict: Verdict) -> None:
    """The table on stdout; below it the words of the programs where something did not hold."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    if verdict.failure is not None:
        print_failure(verdict)
    if verdict.results:
        _print_results(console, verdict)
    for engine in verdict.lab.get("engines", ()):
        console.print(f"[dim]{engine['gateway']}: {engine['protocol']}: {engine['datapath']}[/]")
    for line in (*_kernels(verdict.lab.get("clients", ())), *verdict.machine):
        console.print(f"[dim]{escape(line)}[/]")
    if verdict.results or verdict.failure is None:
        _print_sum(console, verdict)
    for line in _way_in(verdict):
        console.print(f"  {line}")


def _kernels(clients: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Who ran on which kernel, and why it was not the machine's."""
    of: dict[tuple[str, str], list[str]] = {}
    for client in clients:
        of.setdefault((client["kernel"], client.get("why", "")), []).append(client["name"])
    for (kernel, why), names in of.items():
        yield f"{', '.join(names)}: on {kernel}{f': {why}' if why else ''}"


def _print_results(console: Console, verdict: Verdict) -> None:
    console.print(_table(verdict))
    for result in verdict.in_order:
        for line in () if result.held else _quoted(result):
            console.print(f"  {escape(line)}", style="dim")


def _print_sum(console: Console, verdict: Verdict) -> None:
    held = sum(result.held for result in verdict.results)
    word = "[green]HELD[/]" if verdict.code == HELD else "[red]NOT HELD[/]"
    console.print(f"{word}: {held} of {len(verdict.results)} in {verdict.seconds:.1f} s")


def print_failure(verdict: Verdict) -> None:
    """Why a lab was not built, on stderr."""
    assert verdict.failure is not None
    console = Console(stderr=True, highlight=False)
    console.print(f"[red]{verdict.name}:[/] {escape(verdict.failure.message)}")
    if verdict.failure.remedy:
        console.print(f"  try: {escape(verdict.failure.remedy)}")


def _table(verdict: Verdict) -> Table:
    table = Table(title=f"{verdict.name}  ({verdict.file})", title_justify="left")
    for heading in ("", "expectation", "what was seen"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    for result in verdict.in_order:
        mark = "[green]held[/]" if result.held else "[red]FAILED[/]"
        table.add_row(mark, escape(result.text), escape(result.detail), f"{result.seconds:.2f}")
    return table


def _quoted(result: StepResult) -> list[str]:
    evidence = [f"    {name}: {value}" for name, value in result.evidence.items()]
    return [f"{result.text}: {result.detail}", *evidence]


def _way_in(verdict: Verdict) -> list[str]:
    if verdict.kept:
        name = verdict.name
        return [f"it is still up: p2slab shell --name {name} NODE; p2slab down {name}"]
    return [f"logs: {verdict.logs}"] if verdict.logs else []
