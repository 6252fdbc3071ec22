"""`p2slab status [NAME]`: show running labs."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from lab.boot.source import EXAMPLE, PROGRAM
from lab.choices import counted
from lab.cli.labs import name_argument, one_name
from lab.errors import LabError
from lab.report.machine import remarks
from lab.runtime.directory import running
from lab.runtime.handle import Handle
from radius.reasons import bare

STATUS_LIMIT = 2.0
"""Seconds for a lab to answer."""


@click.command()
@name_argument
@click.option("--json", "as_json", is_flag=True, help="As JSON on stdout.")
def command(named: str | None, name: str | None, as_json: bool) -> None:
    """Show the running labs, or one of them in detail.

    NAME may be given alone or with --name.
    """
    name = one_name(named, name)
    one = name is not None
    labs = [Handle.open(name)] if one else [Handle(directory) for directory in running()]
    rows = [_row(lab) for lab in labs]
    if as_json:
        json.dump(rows, sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif one:
        _detail(rows[0])
    elif not rows:
        click.echo(f"no lab is running ({PROGRAM} up {EXAMPLE})", err=True)
    for row in () if as_json or one else rows:
        click.echo(_line(row))


def _row(lab: Handle) -> dict[str, Any]:
    try:
        return lab.status(STATUS_LIMIT)
    except (LabError, TimeoutError) as error:
        problem = str(error) or f"no answer within {STATUS_LIMIT:g} s"
        return {"name": lab.name, "state": "not answering", "problem": problem}


def _line(row: dict[str, Any]) -> str:
    if "problem" in row:
        return f"{row['name']}  {row['state']}: {row['problem']}"
    connected = sum(1 for client in row["clients"] if client.get("connection"))
    return (
        f"{row['name']}  {row['state']}  {_age(row['age'])}  {counted(len(row['nodes']), 'node')}  "
        f"{connected} of {counted(len(row['clients']), 'client')} connected"
    )


def _detail(row: dict[str, Any]) -> None:
    click.echo(_line(row))
    for node in row.get("nodes", ()):
        about = f"{node.get('kind') or '':<10} {node.get('address') or '':<16}"
        click.echo(f"  {node['name']:<20} {about} {node.get('kernel') or ''}".rstrip())
    for client in row.get("clients", ()):
        over = client.get("connection")
        state = f"connected over {over['over']}, {over['address']}" if over else "not connected"
        click.echo(f"  {client['name']}: {state}")
    for gateway in row.get("gateways", ()):
        click.echo(f"  {gateway['name']}: {counted(len(gateway['sessions']), 'session')}")
    for tunnel in row.get("tunnels", ()):
        size = f"in {tunnel['ingressBytesTransferred']}, out {tunnel['egressBytesTransferred']}"
        click.echo(f"  {tunnel['site']}: tunnel {tunnel['connectionStatus']}, {size} bytes")
    for fault in row.get("faults", ()):
        end = "" if fault["endsIn"] is None else f", ends in {fault['endsIn']:g} s"
        click.echo(f"  fault {fault['name']}{end}")
    asked = [
        f"{user} is asked for a second factor: p2slab approve {bare(user)}"
        for user in row.get("waiting", ())
    ]
    for line in (*asked, *remarks(row)):
        click.echo(f"  {line}")
    if "logs" in row:
        click.echo(f"  logs: {row['logs']}")


def _age(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
