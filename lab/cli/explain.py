"""`p2slab explain NODE|CONNECTION [--to HOST:PORT] [--size BYTES]`: why it is not connected."""

from __future__ import annotations

import json

import click

from lab.cli.labs import name_option, opened
from lab.cli.steps import json_option
from lab.errors import EXPECTATION_FAILED, HELD
from lab.topology.model.vocabulary import PACKETS


@click.command()
@click.argument("subject", metavar="NODE")
@click.option("--to", default="", metavar="HOST:PORT", help="What it is to reach.")
@click.option(
    "--size",
    type=click.IntRange(PACKETS[0], PACKETS[-1]),
    metavar="BYTES",
    help="Also send a packet of this size, as `bytes` of a check, to HOST.",
)
@json_option
@name_option
@click.pass_context
def command(
    ctx: click.Context, subject: str, to: str, size: int | None, name: str | None, *, as_json: bool
) -> None:
    """Say why NODE, a client, a host, a site or a connection, is not connected, or does not reach
    HOST:PORT.

    The layers come from top to bottom, each with what was looked at in the running lab, down to
    the first broken one: its cause, the proof, and what to change. Nothing is dialled, unless only
    a new ClientHello can tell. Exit code 1: something is broken.
    """
    from lab.explain.model import lines  # noqa: PLC0415 (not for --help)
    from lab.report.screen import clean  # noqa: PLC0415 (as above)

    found = opened(name).explain(subject, to, size or 0)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in lines(found):
            click.echo(clean(line))
    ctx.exit(EXPECTATION_FAILED if "layer" in found else HELD)
