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
        examples=(
            "verify topologies/quickstart.yaml -k alice --keep",
            "verify topologies/quickstart.yaml --report report",
        ),
    ),
    "up": Verb(
        "Build the lab and leave it running.",
        layers=("core",),
        may_ask=True,
        examples=(
            "up topologies/quickstart.yaml",
            "up topologies/quickstart.yaml --name two --connect",
        ),
    ),
    "down": Verb(
        "Take a running lab down.",
        running=True,
        examples=(
            "down quickstart",
            "down --old quickstart",
        ),
    ),
    "status": Verb(
        "Show running labs, or one lab in detail.",
        running=True,
        examples=(
            "status",
            "status quickstart",
        ),
    ),
    "exec": Verb(
        "Run a program in a node of a running lab.",
        running=True,
        enters=True,
        examples=(
            "exec alice -- ip address",
            "exec alice,bob -- hostname",
        ),
    ),
    "shell": Verb(
        "Open a shell in a node of a running lab.",
        running=True,
        enters=True,
        examples=(
            "shell alice",
            "shell contoso-gw",
        ),
    ),
    "connect": Verb(
        "Connect a client, as its user would.",
        running=True,
        examples=(
            "connect alice",
            "connect bob --over OpenVPN",
        ),
    ),
    "hangup": Verb(
        "End a client's tunnel, as its user would.",
        running=True,
        examples=(
            "hangup alice",
            "hangup bob --json",
        ),
    ),
    "restart": Verb(
        "Restart a client computer, or a gateway.",
        running=True,
        examples=(
            "restart alice",
            "restart bob --json",
        ),
    ),
    "revoke": Verb(
        "Revoke a client's certificate at its gateway.",
        running=True,
        examples=(
            "revoke alice",
            "revoke bob --json",
        ),
    ),
    "reinstate": Verb(
        "Take back that a client's certificate is revoked.",
        running=True,
        examples=(
            "reinstate alice",
            "reinstate bob --json",
        ),
    ),
    "disconnect": Verb(
        "End a client's sessions at its gateway.",
        running=True,
        examples=(
            "disconnect alice",
            "disconnect bob --json",
        ),
    ),
    "update": Verb(
        "Change a gateway's document.",
        running=True,
        examples=(
            "update contoso-gw '{customRoutes: {addressPrefixes: [10.9.0.0/16]}}'",
            "update contoso-gw --file change.yaml",
        ),
    ),
    "check": Verb(
        "Check a running lab by words of `expect:`.",
        running=True,
        examples=(
            "check 'alice reaches app1:80' 'carol refused because revoked'",
            "check --step 2-4",
        ),
    ),
    "explain": Verb(
        "Say why a client, a host or a site is not connected.",
        running=True,
        examples=(
            "explain alice",
            "explain alice --to app1:80",
        ),
    ),
    "logs": Verb(
        "Show what the programs of a lab have logged.",
        running=True,
        examples=(
            "logs contoso-gw gateway",
            "logs alice --follow --since 10s",
        ),
    ),
    "events": Verb(
        "Show what happens in a running lab, as it comes.",
        running=True,
        examples=(
            "events",
            "events --json",
        ),
    ),
    "profile": Verb(
        "Write the VPN client package of a running gateway.",
        running=True,
        examples=(
            "profile contoso-gw",
            "profile alice --out alice.zip",
        ),
    ),
    "cp": Verb(
        "Copy files into a node, or out of it.",
        running=True,
        examples=(
            "cp alice:/etc/resolv.conf .",
            "cp change.yaml alice:/tmp/",
        ),
    ),
    "fault": Verb(
        "Begin or end a fault in a running lab.",
        running=True,
        examples=(
            "fault s2s-cut --for 20s",
            "fault s2s-cut --end",
        ),
    ),
    "approve": Verb(
        "Approve a user's second factor.",
        running=True,
        examples=(
            "approve bob",
            "approve bob --name mfa-by-hand",
        ),
    ),
    "deny": Verb(
        "Deny a user's second factor.",
        running=True,
        examples=(
            "deny carol",
            "deny carol --name mfa-by-hand",
        ),
    ),
    "validate": Verb(
        "Check topology files without building anything.",
        unprivileged=True,
        examples=(
            "validate topologies/quickstart.yaml",
            "validate --json topologies/quickstart.yaml",
        ),
    ),
    "doctor": Verb(
        "Check what this machine can do, and what to install for the rest.",
        of_the_launcher=True,
        examples=(
            "doctor",
            "doctor --json",
        ),
    ),
    "completion": Verb(
        "Print a script for completion in a shell.",
        of_the_launcher=True,
        examples=(
            "completion bash",
            "completion fish",
        ),
    ),
    "pki": Verb(
        "Make certificate authorities and client certificates.",
        unprivileged=True,
        examples=(
            "pki root corp",
            "pki client alice --issuer corp --password-file password.txt",
        ),
    ),
    "schema": Verb(
        "Print the JSON Schema of topology files.",
        unprivileged=True,
        examples=(
            "schema",
            "schema > topology.schema.json",
        ),
    ),
    "root": Verb(
        "Show, prune, export or import the private root.",
        of_the_launcher=True,
        examples=(
            "root",
            "root prune",
        ),
    ),
    "image": Verb(
        "Write an OCI image of the private root and this checkout, for podman and docker.",
        layers=ORDER[:-1],  # a container cannot make more
        of_the_launcher=True,
        of_a_checkout=True,
        examples=(
            "image p2slab.tar",
            "image --help",
        ),
    ),
    "test": Verb(
        "Run the tests.",
        layers=ORDER,
        examples=(
            "test tests/unit/test_signals.py",
            "test tests/unit -k signals",
        ),
    ),
    "bench": Verb(
        "Run the benchmarks.",
        layers=ORDER,
        of_a_checkout=True,
        examples=(
            "bench lab",
            "bench --help",
        ),
    ),
}


def of_verb(verb: str) -> frozenset[str]:
    """The layers that this verb cannot start without."""
    return closed(VERBS[verb].layers)
