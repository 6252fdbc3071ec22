"""`p2slab deny USER`: deny a user's second factor."""

from __future__ import annotations

import click

from lab.cli.labs import name_option, opened


@click.command()
@name_option
@click.argument("user")
def command(name: str | None, user: str) -> None:
    """Deny USER's second factor, as on the user's phone.

    `p2slab status NAME` shows the users who are asked now.
    """
    servers = opened(name).decide(user, approve=False)
    click.echo(f"{user} denies: {', '.join(servers)}")
