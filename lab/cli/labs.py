"""Which running lab a verb means, in one way for all verbs: --name NAME."""

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
        "--name", metavar="NAME", help="Name of the lab; default: the only one that runs."
    )(function)


def name_argument(function: F) -> F:
    """The same as an argument, where nothing else could be meant; one_name() takes both."""
    return click.argument("named", metavar="[NAME]", required=False)(name_option(function))


def one_name(named: str | None, name: str | None) -> str | None:
    """The name that was given either way."""
    if named and name and named != name:
        raise UsageError(f"two labs are named: {named} and {name}", "name one, either way")
    return named or name


def opened(name: str | None) -> Handle:
    """The running lab that is meant; where it is not said which, UsageError with the command to
    type for each."""
    labs = running() if name is None else []
    if len(labs) <= 1:
        return Handle.open(name)
    verb, *rest = sys.argv[1:]
    commands = [
        shlex.join(["p2slab", verb, "--name", lab.name, *rest]) for lab in labs[:MOST_SHOWN]
    ]
    raise UsageError(f"{len(labs)} labs are running", "\n       ".join(commands))
