"""The verbs, a row each. Standard library only: the launcher has to know them, too.

A new one is a row here and a module lab/cli/VERB.py with its `command`.
"""

from __future__ import annotations

from typing import NamedTuple

from lab.boot.layers import ORDER, closed


class Verb(NamedTuple):
    """What the launcher has to know of one."""

    help: str
    """One line, for the list of verbs."""
    layers: tuple[str, ...] = ()
    """What it cannot start without, beside the layers that every private root has."""
    may_ask: bool = False
    """It finds out inside which layers it needs besides (lab.boot.ask)."""
    running: bool = False
    """It wants a lab that runs."""
    enters: bool = False
    """It goes into a node of one."""
    unprivileged: bool = False
    """It only reads and prints, or writes files of the user's: one mapped user is enough."""
    of_the_launcher: bool = False
    """Carried out before there is a private root, by lab/boot/VERB.py and a parser of its own."""
    of_a_checkout: bool = False
    """Not there where p2slab was installed by pip."""


VERBS = {
    "verify": Verb(
        "Build the lab, connect the clients, check every expectation, take it down.",
        layers=("core",),
        may_ask=True,
    ),
    "up": Verb("Build the lab and leave it running.", layers=("core",), may_ask=True),
    "down": Verb("Take a running lab down.", running=True),
    "status": Verb("Show running labs, or one lab in detail.", running=True),
    "exec": Verb("Run a program in a node of a running lab.", running=True, enters=True),
    "shell": Verb("Open a shell in a node of a running lab.", running=True, enters=True),
    "fault": Verb(
        "Have something go wrong in a running lab, for a time or until it is ended.", running=True
    ),
    "approve": Verb("Say yes on a user's telephone, when a second factor asks.", running=True),
    "deny": Verb("Say no.", running=True),
    "validate": Verb("Check topology files without building anything.", unprivileged=True),
    "doctor": Verb(
        "Say what this machine can do, and what to install for the rest.", of_the_launcher=True
    ),
    "pki": Verb("Make certificate authorities and client certificates.", unprivileged=True),
    "schema": Verb("Print the JSON Schema of topology files.", unprivileged=True),
    "root": Verb("Show, prune, export or import the private root.", of_the_launcher=True),
    "image": Verb(
        "Write an OCI image of the private root and this checkout, for podman and docker.",
        layers=ORDER[:-1],  # in a container nobody makes more
        of_the_launcher=True,
        of_a_checkout=True,
    ),
    "test": Verb("Run the tests.", layers=ORDER),
    "bench": Verb("Run the benchmarks.", layers=ORDER, of_a_checkout=True),
}


def of_verb(verb: str) -> frozenset[str]:
    """The layers that this verb cannot start without."""
    return closed(VERBS[verb].layers)
