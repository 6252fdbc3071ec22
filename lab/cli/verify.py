"""`p2slab verify FILE...`: build labs and check what their topologies expect."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.errors import MACHINE

if TYPE_CHECKING:
    from lab.report.report import Report
    from lab.report.verdict import Verdict
    from lab.topology.load import TopologyFile


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N",
              help="Concurrent labs; default: by cores and free memory.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the lab; default: the topology's own.")
@click.option("--keep", is_flag=True, help="Leave the lab up, and print how to enter it.")
@click.option("-k", "words", metavar="WORDS", help="Only the steps with all of these words.")
@click.option("--step", "numbers", metavar="N", multiple=True,
              help="Only the Nth step, or those of N-M; may be repeated.")  # fmt: skip
@click.option("-v", "--all", "every_row", is_flag=True,
              help="Print a row for each step that held, too.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.option("--report", "directory", metavar="DIR", type=click.Path(path_type=Path),
              help="Write HTML, JSON and JUnit XML there.")  # fmt: skip
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    files: tuple[Path, ...],
    jobs: int | None,
    name: str | None,
    keep: bool,
    words: str | None,
    numbers: tuple[str, ...],
    every_row: bool,
    as_json: bool,
    directory: Path | None,
) -> None:
    """Build each topology, connect its clients, check every expectation, take it down.

    Several files end with a row for each and a total. Exit code 0 only if everything held in
    every file; 1: an expectation did not; 2: a file cannot be used, or expects nothing; 3: the
    machine lacks something; 4: a bug in p2slab; of several files, the highest; 130: Ctrl-C.

    With -k or --step only the chosen steps are executed, not those before them.

    A report is a page for people (index.html, one more for each of several files), the verdicts
    as JSON (report.json) and as JUnit XML (junit.xml). DIR is a new or an empty directory, or has
    an earlier report, which is replaced. Exit code 3 if all held and the report is not whole.
    """
    from lab.boot import ask  # noqa: PLC0415 (not for --help)
    from lab.report.terminal import (  # noqa: PLC0415 (as above)
        print_summary,
        print_verdict,
        print_warnings,
    )
    from lab.report.verdict import as_json as documents_as_json  # noqa: PLC0415 (as above)
    from lab.topology.load import load_all, refuse_empty, with_chosen_steps  # noqa: PLC0415 (as above)
    from lab.topology.planning.layers import layers_for  # noqa: PLC0415 (as above)

    topologies = load_all(files)
    refuse_empty(topologies)
    print_warnings(topologies)
    if words is not None or numbers:
        topologies = with_chosen_steps(topologies, words, numbers)
    report = _report(directory, topologies) if directory else None
    ask.require(layers_for(each.topology for each in topologies))
    began = time.monotonic()
    verdicts = []
    for verdict in _verdicts(topologies, jobs, name, keep=keep):
        verdicts.append(verdict)
        if not as_json:
            print_verdict(verdict, every_row=every_row)
        if report:
            report.add(verdict)
    if as_json:
        click.echo(documents_as_json([verdict.as_data() for verdict in verdicts]))
    elif len(verdicts) > 1:
        print_summary(verdicts, time.monotonic() - began)
    code = max(verdict.code for verdict in verdicts)
    ctx.exit(_finished(report, code) if report else code)


def _report(directory: Path, topologies: list[TopologyFile]) -> Report:
    from lab.report.report import Report  # noqa: PLC0415 (not for every run)

    return Report(directory, topologies)


def _finished(report: Report, code: int) -> int:
    """Finish the report; the exit code. That of the run itself counts, unless all held."""
    from lab.report.screen import Screen  # noqa: PLC0415 (as above)

    report.finish()
    screen = Screen.err()
    if report.failure is None:
        screen.paragraph(f"report: {report.start}")
        return code
    screen.paragraph(f"p2slab: {report.failure.message}", "red", coloured=len("p2slab:"), indent=2)
    screen.paragraph(f"  try: {report.failure.remedy}", indent=7)
    screen.paragraph(f"  the run itself ended with exit code {code}")
    return code or MACHINE


def _verdicts(
    topologies: list[TopologyFile], jobs: int | None, name: str | None, *, keep: bool
) -> Iterable[Verdict]:
    if len(topologies) > 1:
        from lab.report.many import usual_jobs, verify_all  # noqa: PLC0415 (for several only)

        return verify_all(topologies, name=name, keep=keep, jobs=jobs or usual_jobs())
    return _verdict(topologies[0], name, keep=keep)


def _verdict(topology: TopologyFile, name: str | None, *, keep: bool) -> Iterator[Verdict]:
    from lab.report.session import verify  # noqa: PLC0415 (as above)
    from lab.report.terminal import Progress  # noqa: PLC0415 (as above)

    with Progress(len(topology.topology.expect)) as progress:
        verdict = verify(topology, name=name, keep=keep, on_event=progress.add)
    yield verdict
