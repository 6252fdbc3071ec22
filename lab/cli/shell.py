"""`p2slab shell NODE`: a shell in a node."""

from __future__ import annotations

import click

from lab.cli.labs import name_option, opened
from lab.runtime.enter import enter

SHELL = ("bash", "-i")


@click.command()
@name_option
@click.argument("node")
@click.pass_context
def command(ctx: click.Context, name: str | None, node: str) -> None:
    """Open a shell in a node of a running lab."""
    ctx.exit(enter(opened(name).enter(node), SHELL))
