"""Verbs that are steps of `expect:`, carried out on a running lab."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from lab.cli.labs import name_option, opened
from lab.errors import EXPECTATION_FAILED, HELD, LabError

if TYPE_CHECKING:
    from lab.runtime.handle import Handle
    from lab.runtime.protocol import Event, StepResult

POLL_INTERVAL = 0.1
"""Seconds between looks at what a client program has said."""


def verb_of_step(word: str, what: str, about: str) -> click.Command:
    """The command of a step whose only argument is its subject; `word` is the step's key."""

    @click.command(help=about)
    @click.argument("subject", metavar=what)
    @json_option
    @name_option
    @click.pass_context
    def command(ctx: click.Context, subject: str, name: str | None, *, as_json: bool) -> None:
        ctx.exit(carry_out(opened(name), {word: subject}, as_json=as_json))

    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")


def carry_out(
    lab: Handle,
    *steps: dict[str, Any],
    as_json: bool = False,
    aloud: Sequence[str] = (),
) -> int:
    """Execute steps and print the result of each in a line; the exit code.

    What programs in the nodes `aloud` log meanwhile is printed too.
    """
    with Listening(lab, aloud) if aloud else nullcontext():
        results = run(lab, steps)
    if as_json:
        click.echo(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            print_line(result)
    return HELD if all(result.held for result in results) else EXPECTATION_FAILED


def run(lab: Handle, steps: Sequence[Any], show: Any = None) -> list[StepResult]:
    """Execute steps; their results, each also given to `show` as it comes. StepsError."""
    from lab.runtime.protocol import StepResult, Waiting  # noqa: PLC0415 (not for --help)

    results: list[StepResult] = []

    def add(event: Event) -> None:
        if isinstance(event, Waiting):
            click.echo(f"lab {lab.name}: another operator is at work: {event.text}; waiting",
                       err=True)  # fmt: skip
        elif isinstance(event, StepResult):
            results.append(event)
            if show:
                show(event)

    lab.run(steps, add)
    return results


def print_line(result: StepResult) -> None:
    """A result in one line, with what the programs said if it did not hold."""
    from lab.report.screen import clean  # noqa: PLC0415 (as above)
    from lab.report.told import told  # noqa: PLC0415 (as above)

    click.echo(clean(f"{result.text}: {result.detail}"), err=not result.held)
    if result.held:
        return
    _, *lines = told(result.detail, result.evidence, result.explanation)
    for line in lines:
        click.echo(f"  {clean(line)}", err=True)


class Listening:
    """While it is entered, prints what the nodes' programs log, as it comes, on stderr."""

    def __init__(self, lab: Handle, nodes: Sequence[str]) -> None:
        from lab.runtime.journal import Reader  # noqa: PLC0415 (as above)

        with suppress(TimeoutError):  # it is busy, or stopped: its steps are the ones to tell
            lab.settle()
        self._lab = lab
        self._nodes = {node.casefold() for node in nodes}
        self._reader = Reader(lab.inside, from_now=True)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        with suppress(LabError, TimeoutError):  # it has ended, or as above
            self._lab.settle()
        self._print()
        self._reader.close()

    def _follow(self) -> None:
        while not self._over.wait(POLL_INTERVAL):
            self._print()

    def _print(self) -> None:
        from lab.report.screen import clean  # noqa: PLC0415 (as above)

        for line in self._reader.new():
            if line.node.casefold() in self._nodes:
                sys.stderr.write(clean(f"{line.node} {line.program}: {line.text}") + "\n")
        sys.stderr.flush()
