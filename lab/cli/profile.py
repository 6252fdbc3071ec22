"""`p2slab profile GATEWAY|CLIENT`: the VPN client package of a running gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lab.boot.enter import outside
from lab.cli.labs import name_option, opened
from lab.errors import UsageError


@click.command()
@click.argument("who", metavar="GATEWAY|CLIENT")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE",
              help="The file to write, - for stdout; default: NAME.zip here.")  # fmt: skip
@name_option
def command(who: str, out: Path | None, name: str | None) -> None:
    """Write the VPN client package (zip) of GATEWAY, as generatevpnprofile gives it.

    Of CLIENT: the package that this client asks its gateway for.
    """
    content = opened(name).package(who)
    if str(out) == "-":
        sys.stdout.buffer.write(content)
        return
    target = out or Path(f"{who}.zip")
    try:
        target.write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"{outside(target)} cannot be written: {error.strerror}", "name a file with --out"
        ) from None
    click.echo(outside(target))
