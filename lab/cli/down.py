"""`p2slab down [NAME]`: take a running lab down."""

from __future__ import annotations

import click

from lab.choices import did_you_mean
from lab.cli.labs import name_argument, one_name, opened
from lab.errors import UsageError
from lab.runtime.directory import ended


@click.command()
@name_argument
@click.option("--keep-logs", is_flag=True, help="Keep the logs of its programs.")
@click.option(
    "--old", is_flag=True, help="Remove the logs of labs that have ended: all, or NAME's."
)
def command(named: str | None, name: str | None, *, keep_logs: bool, old: bool) -> None:
    """Take a running lab down: the named one, or the only running one.

    NAME may be given alone or with --name.
    """
    if old:
        _forget(one_name(named, name), keep_logs=keep_logs)
        return
    lab = opened(one_name(named, name))
    lab.down(keep_logs=keep_logs)
    click.echo(f"lab {lab.name} is down" + (f"; logs: {lab.logs}" if keep_logs else ""), err=True)


def _forget(name: str | None, *, keep_logs: bool) -> None:
    if keep_logs:
        raise UsageError("--keep-logs and --old contradict each other", "give one of them")
    labs = {lab.name: lab for lab in ended()}
    if name is not None and name not in labs:
        meant = did_you_mean(name, labs)
        raise UsageError(f"there are no logs of an ended lab {name}", meant)
    for lab in [labs[name]] if name is not None else labs.values():
        lab.remove()
        click.echo(f"the logs of lab {lab.name} are removed", err=True)
