"""`p2slab approve USER`: approve a user's second factor."""

from __future__ import annotations

import click

from lab.cli.labs import name_option, opened


@click.command()
@name_option
@click.argument("user")
def command(name: str | None, user: str) -> None:
    """Approve USER's second factor, as on the user's phone.

    `p2slab status NAME` shows the users who are asked now.
    """
    servers = opened(name).decide(user, approve=True)
    click.echo(f"{user} approves: {', '.join(servers)}")
