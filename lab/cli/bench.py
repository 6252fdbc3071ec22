"""`p2slab bench NAME`: run one of the programs in tests/bench, which print ratios."""

from __future__ import annotations

import os
import runpy
import sys

import click

from lab.cli.signals import restore
from lab.cli.words import listing, refuse_unknown

BENCHMARKS = {
    "lab": "Worlds of 12, 50 and 200 nodes: built, to the first ping, removed.",
    "up": "Whole commands, from up to the first ping in a node.",
    "sstp": "The gateway's SSTP against OpenVPN and plain TLS.",
    "dataplane": "The data plane of SSTP alone: TLS, framing, TUN.",
    "radius": "Dials and logins with RADIUS behind a tunnel, against certificates.",
    "judge": "Processor time that a stranger's certificates cost the gateway.",
    "ike-crowd": "300 IKEv2 clients with certificates, half of them revoked at once.",
    "aggregate": "The limit of a gateway's throughput: its error, and its processor time.",
    "sstp-soak": "Hostile SSTP clients for minutes beside honest ones, whose pings are answered.",
    "soak": "The attacks of all protocols for minutes beside twenty honest clients.",
}
"""Their names, and what each measures. A new one is a row, and a program tests/bench/NAME.py with
underscores for hyphens; what else is there are parts of these."""


def module(name: str) -> str:
    """The program of a benchmark."""
    return f"tests.bench.{name.replace('-', '_')}"


@click.command(
    cls=listing("benchmark", lambda: BENCHMARKS), context_settings={"ignore_unknown_options": True}
)
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(name: str, arguments: tuple[str, ...]) -> None:
    """Run a benchmark, with its own ARGUMENTS.

    Example: p2slab bench soak --minutes 10
    """
    refuse_unknown("benchmark", name, BENCHMARKS, "bench")
    os.chdir(os.environ["P2SLAB_SOURCE"])
    restore()
    sys.argv = [module(name), *arguments]
    runpy.run_module(module(name), run_name="__main__", alter_sys=True)
