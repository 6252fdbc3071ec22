"""Files generated from the code, so that the launcher can answer without the private root.

`./p2slab test --generate` regenerates them; a test compares them with the code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from lab.cli import seed_coverage, topology_language
from lab.cli.group import p2slab
from lab.cli.words import Listing
from lab.report import document
from lab.topology.reading.schema import schema

HELP_WIDTH = 80
_KINDS: tuple[tuple[type[click.ParamType[Any]], str], ...] = (
    (click.Path, "path"),
    (click.types.IntParamType, "integer"),
    (click.types.FloatParamType, "number"),
)


def generated(checkout: Path) -> dict[str, str]:
    """The generated files' contents; their names are relative to the checkout."""
    made = {
        "lab/cli/commands.json": commands(),
        "topologies/schema.json": schema(),
        "docs/report.schema.json": document.schema(),
    }
    pages = {
        "docs/topology-language.md": topology_language.page(checkout),
        seed_coverage.PAGE: seed_coverage.page(checkout),
    }
    return pages | {name: json.dumps(content, indent=2) + "\n" for name, content in made.items()}


def write(checkout: Path) -> None:
    """Write all generated files."""
    for name, content in generated(checkout).items():
        (checkout / name).write_text(content, encoding="utf-8")


def commands() -> dict[str, Any]:
    """The table for lab.boot.arguments: help, options and arguments of every verb.

    `first` and `last` of an argument: how many arguments are required and allowed up to and
    including this one; no `last` means any number. `words`: the kind of the first argument, and
    its possible values.
    """
    table: dict[str, Any] = {}
    settings = {**p2slab.context_settings, "terminal_width": HELP_WIDTH}
    _add(table, "", click.Context(p2slab, info_name="p2slab", **settings))
    return table


def _add(table: dict[str, Any], path: str, context: click.Context) -> None:
    command = context.command
    below = command.list_commands(context) if isinstance(command, click.Group) else []
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    table[path] = {
        "help": command.get_help(context),
        "commands": below,
        "strict": not context.ignore_unknown_options,
        "interspersed": context.allow_interspersed_args,
        "options": {name: _kind(option) for option in options for name in option.opts},
        "arguments": _arguments(command, context),
        "words": {command.what: list(command.words())} if isinstance(command, Listing) else {},
    }
    for name in below:
        found = command.get_command(context, name) if isinstance(command, click.Group) else None
        if found:
            inner = click.Context(found, context, name, **found.context_settings)
            _add(table, f"{path} {name}".strip(), inner)


def _kind(option: click.Option) -> str:
    if option.is_flag:
        return "flag"
    return next((word for kind, word in _KINDS if isinstance(option.type, kind)), "text")


def _arguments(command: click.Command, context: click.Context) -> list[dict[str, Any]]:
    first, last = 0, 0
    found = []
    for one in command.params:
        if isinstance(one, click.Argument):
            first += int(one.required)
            last += 1
            found.append({
                "name": one.make_metavar(context).strip("[]"),
                "first": first if one.required else 0,
                "last": None if one.nargs < 0 else last,
                "file": isinstance(one.type, click.Path),
            })  # fmt: skip
    return found
