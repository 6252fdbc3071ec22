"""The verbs, one row each. Standard library only: the launcher uses them too.

A new one is a row here and a module lab/cli/VERB.py with its `command`.
"""

from __future__ import annotations

from typing import NamedTuple

from lab.boot.layers import ORDER, closed


class Verb(NamedTuple):
    """The launcher's data of a verb."""

    help: str
    """One line, for the list of verbs."""
    layers: tuple[str, ...] = ()
    """The layers that it needs to start, in addition to those of every private root."""
    may_ask: bool = False
    """It may find out in the private root that it needs more layers (lab.boot.ask)."""
    running: bool = False
    """It needs a running lab."""
    enters: bool = False
    """It enters a node of a running lab."""
    unprivileged: bool = False
    """It only reads, prints and writes the user's files: one mapped user is enough."""
    of_the_launcher: bool = False
    """It runs without a private root, by lab/boot/VERB.py with its own parser."""
    of_a_checkout: bool = False
    """It does not exist if p2slab was installed by pip."""
    examples: tuple[str, ...] = ()
    """Two command lines for its help, without `p2slab`; tests run them."""


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
    "connect": Verb("Connect a client, as its user would.", running=True),
    "hangup": Verb("End a client's tunnel, as its user would.", running=True),
    "restart": Verb("Restart a client computer.", running=True),
    "revoke": Verb("Revoke a client's certificate at its gateway.", running=True),
    "reinstate": Verb("Take back that a client's certificate is revoked.", running=True),
    "disconnect": Verb("End a client's sessions at its gateway.", running=True),
    "update": Verb("Change a gateway's document.", running=True),
    "check": Verb("Check a running lab by words of `expect:`.", running=True),
    "logs": Verb("Show what the programs of a lab have logged.", running=True),
    "events": Verb("Show what happens in a running lab, as it comes.", running=True),
    "profile": Verb("Write the VPN client package of a running gateway.", running=True),
    "cp": Verb("Copy files into a node, or out of it.", running=True),
    "fault": Verb("Begin or end a fault in a running lab.", running=True),
    "approve": Verb("Approve a user's second factor.", running=True),
    "deny": Verb("Deny a user's second factor.", running=True),
    "validate": Verb("Check topology files without building anything.", unprivileged=True),
    "doctor": Verb(
        "Check what this machine can do, and what to install for the rest.", of_the_launcher=True
    ),
    "completion": Verb("Print a script for completion in a shell.", of_the_launcher=True),
    "pki": Verb("Make certificate authorities and client certificates.", unprivileged=True),
    "schema": Verb("Print the JSON Schema of topology files.", unprivileged=True),
    "root": Verb("Show, prune, export or import the private root.", of_the_launcher=True),
    "image": Verb(
        "Write an OCI image of the private root and this checkout, for podman and docker.",
        layers=ORDER[:-1],  # a container cannot make more
        of_the_launcher=True,
        of_a_checkout=True,
    ),
    "test": Verb("Run the tests.", layers=ORDER),
    "bench": Verb("Run the benchmarks.", layers=ORDER, of_a_checkout=True),
}


def of_verb(verb: str) -> frozenset[str]:
    """The layers that this verb cannot start without."""
    return closed(VERBS[verb].layers)
