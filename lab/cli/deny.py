"""`p2slab deny USER`: no, on the user's telephone."""

from __future__ import annotations

import click

from lab.cli.labs import name_option, opened


@click.command()
@name_option
@click.argument("user")
def command(name: str | None, user: str) -> None:
    """Say no on USER's telephone, when a second factor asks.

    Who is asked now, `p2slab status NAME` says.
    """
    servers = opened(name).decide(user, approve=False)
    click.echo(f"{user} denies: {', '.join(servers)}")
