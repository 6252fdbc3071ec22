"""`p2slab up FILE`: build the lab and leave it running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.runtime.handle import Handle
    from lab.topology.load import TopologyFile


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the lab; default: the topology's own.")
@click.option("--connect", is_flag=True, help="Connect all clients, and say who is refused.")
@click.option("--dry-run", is_flag=True, help="Print the plan; build nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the plan, or the lab's status, as JSON."
)
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context, file: Path, name: str | None, connect: bool, dry_run: bool, as_json: bool
) -> None:
    """Build the lab and return; it runs until `p2slab down`."""
    if connect and dry_run:
        raise UsageError("--dry-run builds nothing to connect", "leave out --connect or --dry-run")
    from lab.topology.load import load  # noqa: PLC0415 (not for --help)

    topology = load(file)
    if dry_run:
        _print_plan(topology, as_json=as_json)
    else:
        ctx.exit(_up(topology, name, connect=connect, as_json=as_json))


def _print_plan(topology: TopologyFile, *, as_json: bool) -> None:
    from lab.topology.planning.describe import as_text, describe  # noqa: PLC0415 (only for --dry-run)

    plan = topology.plan()
    click.echo(json.dumps(describe(plan), indent=2) if as_json else as_text(plan))


def _up(topology: TopologyFile, name: str | None, *, connect: bool, as_json: bool) -> int:
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
    if connect:
        _connect_all(handle, topology, as_json=as_json)
    if as_json:
        click.echo(json.dumps(handle.status(), indent=2))
    else:
        node = next(iter(topology.topology.clients), "")
        which = f"--name {name} {node or 'internet'}" if name else node or "internet"
        verb = "shell" if connect or not node else "connect"
        click.echo(f"lab {handle.name} is up: p2slab {verb} {which}, p2slab status, "
                   f"p2slab down {handle.name}", err=True)  # fmt: skip
    return verdict.code


def _connect_all(handle: Handle, topology: TopologyFile, *, as_json: bool) -> None:
    """Connect every client. Many topologies have some who are refused: that is no failure here."""
    from lab.cli.steps import print_line, run  # noqa: PLC0415 (as above)

    steps = [{"connects": client} for client in topology.topology.clients]
    run(handle, steps, None if as_json else print_line)
