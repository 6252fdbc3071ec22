"""`p2slab verify FILE...`: the main job."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", help="Name of the lab; default: the topology's own.")
@click.option("--keep", is_flag=True, help="Leave a lab that failed up, and say how to enter it.")
@click.option("--json", "as_json", is_flag=True, help="The verdicts as JSON on stdout.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[Path, ...], name: str | None, keep: bool, as_json: bool
) -> None:
    """Build each topology, connect its clients, check every expectation, take it down.

    Exit code 0 only if everything held in every file; else the highest of the files' codes.
    """
    from lab.boot import ask  # noqa: PLC0415 (not for --help)
    from lab.report.session import verify  # noqa: PLC0415 (as above)
    from lab.report.terminal import Progress, print_verdict  # noqa: PLC0415 (as above)
    from lab.topology.layers import layers_for  # noqa: PLC0415 (as above)
    from lab.topology.load import load_all  # noqa: PLC0415 (as above)

    topologies = load_all(files)
    ask.require(layers_for(each.topology for each in topologies))
    verdicts = []
    for topology in topologies:
        with Progress() as progress:
            verdicts.append(verify(topology, name=name, keep=keep, tell=progress.add))
        if not as_json:
            print_verdict(verdicts[-1])
    if as_json:
        click.echo(json.dumps([verdict.as_data() for verdict in verdicts], indent=2))
    ctx.exit(max(verdict.code for verdict in verdicts))
