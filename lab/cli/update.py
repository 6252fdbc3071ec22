"""`p2slab update GATEWAY PROPERTIES`: change a gateway's document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lab.cli.labs import name_option, opened
from lab.cli.steps import carry_out, json_option
from lab.errors import UsageError


@click.command()
@click.argument("gateway")
@click.argument("properties", required=False)
@click.option("-f", "--file", type=click.Path(path_type=Path), help="The properties' file.")
@json_option
@name_option
@click.pass_context
def command(  # noqa: PLR0917 (click: one for each option)
    ctx: click.Context,
    gateway: str,
    properties: str | None,
    file: Path | None,
    as_json: bool,
    name: str | None,
) -> None:
    """Merge PROPERTIES, YAML or JSON, into GATEWAY's document (RFC 7396), as its operator would.

    ${NAME.thumbprint} and ${NAME.publicCertData} are those of the lab's certificates.
    """
    if (properties is None) == (file is None):
        like = "'{customRoutes: {addressPrefixes: []}}'"
        raise UsageError(
            "give PROPERTIES or --file, one of them", f"p2slab update {gateway} {like}"
        )
    lab = opened(name)
    step = {"update": gateway, "properties": _read(properties, file)}
    ctx.exit(carry_out(lab, step, as_json=as_json))


def _read(text: str | None, file: Path | None) -> dict[str, Any]:
    from lab.topology.load import load_mapping  # noqa: PLC0415 (not for --help)

    if file is not None:
        return load_mapping(file)
    return load_mapping((text or "").encode(), "PROPERTIES")
