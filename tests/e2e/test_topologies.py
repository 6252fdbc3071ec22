"""Every topology holds, with the real daemons, as an ordinary user; and as root those of `AS_ROOT`.

A lab is built by the same code for both; what differs is the user namespace and its ids, which
change what programs may do. A user's programs may do less, so whatever holds for a user is tried
for all. For root's it is enough that each program runs in some lab: with the causes, which root's
labs have (test_causes.py), `AS_ROOT` has every kind of node, service, protocol and authentication
that any topology has. Most other tests of tests/e2e (networks, sites) build labs as root, too.

The user is played from root (tests/harness/as_user.py) with a private root and a cache of their
own; as an ordinary user, only the user's half runs.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.topology.load import load
from lab.topology.planning.planner import make_plan
from tests.harness import as_user
from tests.rigs import causes

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / "topologies"
TOPOLOGIES = sorted(path.name for path in FOLDER.glob("*.yaml"))
LIMIT = 600
"""Seconds."""


def verify(topology: str, who: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, verdicts and what was said on stderr."""
    command = ("./p2slab", "verify", "--json", f"topologies/{topology}")
    argv = as_user.argv(*command) if who == "user" and as_user.possible() else command
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "[]"), done.stderr


MEASURED = {"throughput.yaml": "user", "throughput-basic.yaml": "root"}
"""Topologies that measure for half a minute, and as whom."""
AS_ROOT = ("quickstart.yaml", "hotel-wifi.yaml")  # an iperf3, which no cause has
CASES = [
    *((name, "user") for name in TOPOLOGIES if name not in MEASURED),
    *((name, "root") for name in AS_ROOT),
    *(pytest.param(*case, marks=pytest.mark.one_of("throughput")) for case in MEASURED.items()),
]


@pytest.mark.parametrize(("topology", "who"), CASES)
def test_topology_holds(topology: str, who: str) -> None:
    if who == "root" and not as_user.possible():
        pytest.skip("this is an ordinary user: what root does needs root (sudo ./p2slab test)")
    code, told, said = verify(topology, who)
    rows = [row for verdict in told for row in verdict["results"]]
    wrong = [f"{row['text']}: {row['detail']}" for row in rows if not row["held"]]
    assert (code, wrong) == (0, []), "\n".join([said, *wrong])
    assert all(verdict["results"] for verdict in told)


def test_there_are_topologies() -> None:
    assert {"quickstart.yaml", "hotel-wifi.yaml", "corporate-proxy.yaml"} <= set(TOPOLOGIES)


def test_between_them_roots_labs_have_whatever_any_lab_has() -> None:
    measured = (name for name, who in MEASURED.items() if who == "root")
    of_roots = (
        *(FOLDER / name for name in (*AS_ROOT, *measured)),
        *(CHECKOUT / causes.FOLDER / name for name in causes.fewest()),
    )
    anybodys = (FOLDER / name for name in TOPOLOGIES)
    assert set().union(*map(runs_in, anybodys)) <= set().union(*map(runs_in, of_roots))


def runs_in(path: Path) -> set[tuple[str, str]]:
    """What of a lab depends on what its programs may do."""
    plan = make_plan(load(path).topology, path.parent)
    offered = [gateway.resource.properties.vpnClientConfiguration for gateway in plan.gateways]
    return {
        *(("node", node.kind) for node in plan.nodes),
        *(("service", service.role) for node in plan.nodes for service in node.services),
        *(("kernel", need) for node in plan.nodes for need in node.needs),
        *(("protocol", word) for one in offered if one for word in one.vpnClientProtocols),
        *(("sign-in", word) for one in offered if one for word in one.vpnAuthenticationTypes),
    }
