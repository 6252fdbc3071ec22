"""`p2slab down [NAME]`: take a running lab down."""

from __future__ import annotations

import click

from lab.cli.labs import name_argument, one_name, opened


@click.command()
@name_argument
@click.option("--keep-logs", is_flag=True, help="Keep the logs of its programs.")
def command(named: str | None, name: str | None, keep_logs: bool) -> None:
    """Take a running lab down: the named one, or the only running one.

    NAME may be given alone or with --name.
    """
    lab = opened(one_name(named, name))
    lab.down(keep_logs=keep_logs)
    click.echo(f"lab {lab.name} is down" + (f"; logs: {lab.logs}" if keep_logs else ""), err=True)
