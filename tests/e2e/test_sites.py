"""What people set up wrong between Azure and a site, in a VNet, at a host or on the way: each is a
key of the language, and its effect is seen with the real daemons (tests/e2e/sites)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
FILES = sorted(path.name for path in (CHECKOUT / "tests/e2e/sites").glob("*.yaml"))
LIMIT = 600
"""Seconds, on a busy machine."""


@pytest.mark.parametrize("name", FILES)
def test_a_cause_has_its_effect(name: str) -> None:
    done = subprocess.run(
        ["./p2slab", "verify", "--json", f"tests/e2e/sites/{name}"],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    [told] = json.loads(done.stdout or "[{}]")
    wrong = [f"{row['text']}: {row['detail']}" for row in told["results"] if not row["held"]]
    assert (done.returncode, wrong) == (0, []), done.stderr


def test_there_are_files() -> None:
    assert {"security-groups.yaml", "ways-into-the-lan.yaml"} <= set(FILES)
