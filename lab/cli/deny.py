"""`p2slab deny USER`: no, on the user's telephone."""

from __future__ import annotations

import click

from lab.runtime.handle import Handle


@click.command()
@click.option("--name", help="Name of the lab; default: the only one that runs.")
@click.argument("user")
def command(name: str | None, user: str) -> None:
    """Say no on USER's telephone, when a second factor asks.

    Who is asked now, `p2slab status LAB` says.
    """
    servers = Handle.open(name).decide(user, approve=False)
    click.echo(f"{user} denies: {', '.join(servers)}")
