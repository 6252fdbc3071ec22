"""`p2slab schema`: the JSON Schema of topology files, for completion and checks in editors."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of topology files.

    Write it to a file, and refer to that in the first line of a topology:

    \b
        p2slab schema > schema.json
        # yaml-language-server: $schema=schema.json
    """
    from lab.topology.reading.schema import schema  # noqa: PLC0415 (not for --help)

    click.echo(json.dumps(schema(), indent=2))
