"""Every topology holds, with the real daemons, as root and as an ordinary user.

The user is played from root (tests/harness/as_user.py) with a private root and a cache of their
own; as an ordinary user, only the user's half runs.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness import as_user

CHECKOUT = Path(__file__).parents[2]
TOPOLOGIES = sorted(path.name for path in (CHECKOUT / "topologies").glob("*.yaml"))
LIMIT = 600
"""Seconds: the user's first run makes a private root."""


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
"""Topologies that measure, and as whom: each takes the machine to itself, for half a minute."""
CASES = [
    *itertools.product((name for name in TOPOLOGIES if name not in MEASURED), ("root", "user")),
    *(pytest.param(*case, marks=pytest.mark.alone) for case in MEASURED.items()),
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
