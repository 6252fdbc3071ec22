"""`p2slab exec NODE [--] CMD...`: run a program in a node."""

from __future__ import annotations

import click

from lab.cli.labs import name_option, opened
from lab.errors import UsageError
from lab.runtime.enter import enter


@click.command(context_settings={"allow_interspersed_args": False})
@name_option
@click.argument("node")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="CMD...")
@click.pass_context
def command(ctx: click.Context, name: str | None, node: str, argv: tuple[str, ...]) -> None:
    """Run a program in a node of a running lab.

    The program has this command's terminal, pipes, signals and exit code. A -- before CMD is
    dropped.

    Example: p2slab exec alice -- ip address
    """
    program = argv[1:] if argv[0] == "--" else argv
    if not program:
        raise UsageError("no program is given", f"p2slab exec {node} -- ls /")
    ctx.exit(enter(opened(name).enter(node), program))
