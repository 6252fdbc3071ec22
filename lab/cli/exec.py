"""`p2slab exec NODE CMD...`: run a program in a node."""

from __future__ import annotations

import click

from lab.runtime.enter import enter
from lab.runtime.handle import Handle


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--name", help="Name of the lab; default: the only one that runs.")
@click.argument("node")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD...")
@click.pass_context
def command(ctx: click.Context, name: str | None, node: str, argv: tuple[str, ...]) -> None:
    """Run a program in a node of a running lab.

    Its terminal, pipes, signals and exit code are those of this command.
    Example: p2slab exec alice ping -c1 app1
    """
    ctx.exit(enter(Handle.open(name).enter(node), argv))
