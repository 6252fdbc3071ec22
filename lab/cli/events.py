"""`p2slab events`: what happens in a running lab."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from lab.cli.labs import name_option, opened
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.runtime.protocol import Event


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@name_option
def command(name: str | None, *, as_json: bool) -> None:
    """Show the lab's events, all past ones and then each as it comes, until it ends or Ctrl-C.

    Events are stages of its building, and results of steps: those of `verify` and of every verb.
    """
    lab = opened(name)
    try:
        for event in lab.watch():
            _print(event, as_json=as_json)
    except LabError as error:
        click.echo(error.message, err=True)


def _print(event: Event, *, as_json: bool) -> None:
    from lab.report.screen import clean  # noqa: PLC0415 (not for --help)
    from lab.runtime.protocol import event_as_data  # noqa: PLC0415 (as above)

    data = event_as_data(event)
    if as_json:
        sys.stdout.write(json.dumps(data) + "\n")
    else:
        kind = data.pop("event")
        said = " ".join(f"{key}={json.dumps(value)}" for key, value in data.items()
                        if value not in ("", None, {}))  # fmt: skip
        sys.stdout.write(clean(f"{kind} {said}") + "\n")
    sys.stdout.flush()
