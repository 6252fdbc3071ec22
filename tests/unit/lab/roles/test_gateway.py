"""What is made for the programs of nodes, which may not make it themselves."""

from __future__ import annotations

import re
from pathlib import Path

from lab.roles import gateway

SOURCE = Path(__file__).parents[4]
STARTED = re.compile(r'"-m", "((?:gateway|lab|radius)[\w.]*)"')
NOT_IN_NODES = {"lab.pki.stock", "lab.cli.main"}


def test_the_bytecode_of_every_program_that_nodes_run() -> None:
    files = [path for package in ("lab", "gateway") for path in (SOURCE / package).rglob("*.py")]
    started = {name for path in files for name in STARTED.findall(path.read_text())}
    assert {"gateway", "radius.push_proxy", "lab.clients.sstp_python"} <= started
    places = [SOURCE / package for package in gateway.PACKAGES]
    assert all(place.is_dir() for place in places)
    missing = [
        name
        for name in started - NOT_IN_NODES
        if not any((SOURCE / name.replace(".", "/")).is_relative_to(place) for place in places)
    ]
    assert missing == []
