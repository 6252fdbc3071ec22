"""`p2slab shell NODE`: a shell in a node."""

from __future__ import annotations

import click

from lab.runtime.enter import enter
from lab.runtime.handle import Handle

SHELL = ("bash", "-i")


@click.command()
@click.option("--name", help="Name of the lab; default: the only one that runs.")
@click.argument("node")
@click.pass_context
def command(ctx: click.Context, name: str | None, node: str) -> None:
    """Open a shell in a node of a running lab."""
    ctx.exit(enter(Handle.open(name).enter(node), SHELL))
