"""Selection of a running lab, the same for all verbs: --name NAME."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lab.errors import UsageError
from lab.runtime.directory import running
from lab.runtime.handle import Handle

F = TypeVar("F", bound=Callable[..., Any])
MOST_SHOWN = 10


def name_option(function: F) -> F:
    """The option of verbs that work on a running lab."""
    return click.option(
        "--name", metavar="NAME", help="Name of the lab; default: the only running one."
    )(function)


def name_argument(function: F) -> F:
    """The option, and an optional argument NAME; one_name() combines both."""
    return click.argument("named", metavar="[NAME]", required=False)(name_option(function))


def one_name(named: str | None, name: str | None) -> str | None:
    """The name that was given as argument or option."""
    if None not in (named, name) and named != name:
        raise UsageError(f"two labs are named: {named} and {name}", "name only one")
    return name if named is None else named


def opened(name: str | None) -> Handle:
    """The running lab of that name, or the only one; if several are running, UsageError with the
    command for each."""
    labs = running() if name is None else []
    if len(labs) <= 1:
        return Handle.open(name)
    verb, *rest = sys.argv[1:]
    commands = [
        shlex.join(["p2slab", verb, "--name", lab.name, *rest]) for lab in labs[:MOST_SHOWN]
    ]
    raise UsageError(f"{len(labs)} labs are running", "\n       ".join(commands))
