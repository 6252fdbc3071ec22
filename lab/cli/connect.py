"""`p2slab connect CLIENT [--over PROTOCOL]`: connect a client of a running lab."""

from __future__ import annotations

import click

from lab.cli.labs import name_option, opened
from lab.cli.steps import carry_out, json_option


@click.command()
@click.argument("clients", metavar="CLIENT...", nargs=-1, required=True)
@click.option(
    "--over",
    metavar="PROTOCOL",
    help="IkeV2, SSTP or OpenVPN; default: in the order of its operating system.",
)
@click.option("--to", metavar="GATEWAY", help="The gateway; default: the client's own.")
@click.option("-q", "--quiet", is_flag=True, help="Leave out what the client program says.")
@json_option
@name_option
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    clients: tuple[str, ...],
    over: str | None,
    to: str | None,
    quiet: bool,
    as_json: bool,
    name: str | None,
) -> None:
    """Connect CLIENT, as its user would.

    What the client program says comes on stderr; then protocol, address and time, or the reason
    why it was refused (exit code 1). Several clients dial at the same time.
    """
    lab = opened(name)
    given = {key: value for key, value in (("over", over), ("to", to)) if value}
    steps = [{"connects": client, **given} for client in clients]
    aloud = () if quiet or as_json else clients
    ctx.exit(carry_out(lab, *steps, as_json=as_json, aloud=aloud))
