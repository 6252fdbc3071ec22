"""`p2slab up FILE`: build the lab and leave it running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lab.topology.load import TopologyFile


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the lab; default: the topology's own.")
@click.option("--dry-run", is_flag=True, help="Print the plan; build nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the plan, or the lab's status, as JSON."
)
@click.pass_context
def command(ctx: click.Context, file: Path, name: str | None, dry_run: bool, as_json: bool) -> None:
    """Build the lab and return; it runs until `p2slab down`."""
    from lab.topology.load import load  # noqa: PLC0415 (not for --help)

    topology = load(file)
    if dry_run:
        _print_plan(topology, as_json=as_json)
    else:
        ctx.exit(_up(topology, name, as_json=as_json))


def _print_plan(topology: TopologyFile, *, as_json: bool) -> None:
    from lab.topology.planning.describe import as_text, describe  # noqa: PLC0415 (only for --dry-run)

    plan = topology.plan()
    click.echo(json.dumps(describe(plan), indent=2) if as_json else as_text(plan))


def _up(topology: TopologyFile, name: str | None, *, as_json: bool) -> int:
    from lab.boot import ask  # noqa: PLC0415 (not for --dry-run)
    from lab.report.session import build, start_lab  # noqa: PLC0415 (as above)
    from lab.report.terminal import print_warnings  # noqa: PLC0415 (as above)
    from lab.topology.planning.layers import layers_for  # noqa: PLC0415 (as above)

    ask.require(layers_for([topology.topology]))
    print_warnings([topology])
    handle = start_lab(topology, name)
    # Only now: the lab builds itself meanwhile.
    from lab.report.terminal import Progress, print_failure  # noqa: PLC0415
    from lab.report.verdict import Verdict  # noqa: PLC0415

    verdict = Verdict.of(topology, handle.name)
    try:
        with Progress() as progress:
            if not build(handle, verdict, progress.add):
                handle.down(keep_logs=True)
    except KeyboardInterrupt as end:
        handle.down()
        end.add_note(f"lab {handle.name} was taken down")
        raise
    if verdict.failure is not None:
        print_failure(verdict)
        click.echo(f"  logs: {handle.logs}", err=True)
        return verdict.code
    handle.release()
    if as_json:
        click.echo(json.dumps(handle.status(), indent=2))
    else:
        node = next(iter(topology.topology.clients), "internet")
        which = f"--name {name} {node}" if name else node
        click.echo(f"lab {handle.name} is up: p2slab shell {which}, p2slab status, "
                   f"p2slab down {handle.name}", err=True)  # fmt: skip
    return verdict.code
