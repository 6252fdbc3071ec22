"""`p2slab logs [NODE [PROGRAM]]`: what a lab's programs have logged."""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import click

from lab.choices import did_you_mean, listing
from lab.cli.labs import name_option, opened
from lab.errors import LabError, UsageError
from lab.runtime.directory import RunDirectory, ended, running
from lab.runtime.handle import Handle
from lab.runtime.journal import Line, Reader

if TYPE_CHECKING:
    import socket

POLL_INTERVAL = 0.1
"""Seconds between looks at the journal, for --follow."""
MOST_SHOWN = 10


@click.command()
@click.argument("node", required=False)
@click.argument("program", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the lab ends, or Ctrl-C.")
@click.option("--since", metavar="TIME", help="Only what is newer than this, such as 10s or 5m.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@name_option
def command(  # noqa: PLR0917 (click: one for each option)
    node: str | None,
    program: str | None,
    follow: bool,
    since: str | None,
    as_json: bool,
    name: str | None,
) -> None:
    """Show what the programs of a lab have logged, by time: all, or those of NODE, or PROGRAM.

    With --name also of a lab that has ended, as its logs are kept for a week.
    """
    oldest = _time_before(since)
    lab = _lab(name)
    _settle(lab)
    reader = _reader(lab)
    lines = list(reader.new())
    if node is not None:
        node = _node(lab, node, lines)
        if program is not None:
            program = _program(node, program, lines, follow=follow)

    def show(found: Iterator[Line] | list[Line]) -> None:
        for line in found:
            if (
                line.time >= oldest
                and node in (None, line.node)
                and program in (None, line.program)
            ):
                _print(line, as_json=as_json)
        sys.stdout.flush()

    show(lines)
    while follow and _continues(lab):
        show(reader.new())
    if follow:
        show(reader.new())
        click.echo(f"lab {lab.name} has ended", err=True)


def _time_before(since: str | None) -> float:
    if since is None:
        return 0.0
    from lab.topology.model.values import parse_duration  # noqa: PLC0415 (pydantic)

    try:
        return time.time() - float(parse_duration(since))
    except ValueError as error:
        raise UsageError(f"--since: {error}", "such as 10s or 5m") from None


def _lab(name: str | None) -> Handle:
    """The running lab, or the ended one of that name."""
    if name is not None and not RunDirectory(name).is_alive():
        kept = [lab.name for lab in ended()]
        if name in kept:
            return Handle(RunDirectory(name))
        known = [*(lab.name for lab in running()), *kept]
        raise UsageError(f"there is no lab {name}, and no logs of one", did_you_mean(name, known))
    if name is None and not running() and (kept := [lab.name for lab in ended()]):
        commands = "\n       ".join(f"p2slab logs --name {each}" for each in kept[:MOST_SHOWN])
        raise UsageError("no lab is running; there are logs of ended ones", commands)
    return opened(name)


def _settle(lab: Handle) -> None:
    with suppress(LabError, TimeoutError):  # it has ended, or is stopped: what there is, is shown
        lab.settle()


def _reader(lab: Handle) -> Reader:
    try:
        return Reader(lab.inside)
    except FileNotFoundError:
        raise UsageError(f"lab {lab.name} has no journal", f"its logs: {lab.logs}") from None


def _node(lab: Handle, name: str, lines: list[Line]) -> str:
    """The node as it is spelled in the journal."""
    known = {line.node: None for line in lines}
    with suppress(LabError, TimeoutError):  # as above
        known |= {row["name"]: None for row in lab.status(2.0)["nodes"]}
    found = {one.casefold(): one for one in known}
    if name.casefold() not in found:
        raise UsageError(f"lab {lab.name} has no node {name!r}", did_you_mean(name, known))
    return found[name.casefold()]


def _program(node: str, name: str, lines: list[Line], *, follow: bool) -> str:
    known = list(dict.fromkeys(line.program for line in lines if line.node == node))
    if name in known:
        return name
    meant = did_you_mean(name, known) if known else "nothing has logged there yet"
    if not follow:
        raise UsageError(f"{node} has no log of {name!r}", meant)
    click.echo(f"{node} has no log of {name!r} yet ({listing(known) if known else 'none'})",
               err=True)  # fmt: skip
    return name


def _continues(lab: Handle) -> bool:
    """Wait a moment; whether the lab lives."""
    try:
        with closing(lab.alive()) as connection:
            return _quiet(connection)
    except OSError:
        return False


def _quiet(connection: socket.socket) -> bool:
    return not select.select([connection], [], [], POLL_INTERVAL)[0]


def _print(line: Line, *, as_json: bool) -> None:
    from lab.report.screen import clean  # noqa: PLC0415 (not for --help)

    if as_json:
        row = {"time": line.time, "node": line.node, "program": line.program, "text": line.text}
        sys.stdout.write(json.dumps(row) + "\n")
        return
    clock = time.strftime("%H:%M:%S", time.localtime(line.time))
    millis = int(line.time % 1 * 1000)
    sys.stdout.write(clean(f"{clock}.{millis:03} {line.node} {line.program}: {line.text}") + "\n")
