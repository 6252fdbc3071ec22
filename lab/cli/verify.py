"""`p2slab verify FILE...`: build labs and check what their topologies expect."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
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
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    files: tuple[Path, ...],
    jobs: int | None,
    name: str | None,
    keep: bool,
    words: str | None,
    numbers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Build each topology, connect its clients, check every expectation, take it down.

    Several files end with a row for each and a total. Exit code 0 only if everything held in
    every file; 1: an expectation did not; 2: a file cannot be used, or expects nothing; 3: the
    machine lacks something; 4: a bug in p2slab; of several files, the highest; 130: Ctrl-C.

    With -k or --step only the chosen steps are executed, not those before them.
    """
    from lab.boot import ask  # noqa: PLC0415 (not for --help)
    from lab.report.terminal import (  # noqa: PLC0415 (as above)
        print_summary,
        print_verdict,
        print_warnings,
    )
    from lab.topology.load import load_all, refuse_empty, with_chosen_steps  # noqa: PLC0415 (as above)
    from lab.topology.planning.layers import layers_for  # noqa: PLC0415 (as above)

    topologies = load_all(files)
    refuse_empty(topologies)
    print_warnings(topologies)
    if words is not None or numbers:
        topologies = with_chosen_steps(topologies, words, numbers)
    ask.require(layers_for(each.topology for each in topologies))
    began = time.monotonic()
    verdicts = []
    for verdict in _verdicts(topologies, jobs, name, keep=keep):
        verdicts.append(verdict)
        if not as_json:
            print_verdict(verdict)
    if as_json:
        click.echo(json.dumps([verdict.as_data() for verdict in verdicts], indent=2))
    elif len(verdicts) > 1:
        print_summary(verdicts, time.monotonic() - began)
    ctx.exit(max(verdict.code for verdict in verdicts))


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
