"""A short run of `p2slab bench radius`: all users connect, and the figures are printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_a_few_users_sign_in_over_both_protocols_and_dials_are_compared(tmp_path: Path) -> None:
    told = tmp_path / "figures.json"
    argv = [sys.executable, "-m", "tests.bench.radius", f"--json={told}"]
    parts = ["--only=logins", "--only=dial", "--logins=6", "--runs=1"]
    done = subprocess.run([*argv, *parts], cwd=CHECKOUT, timeout=300, check=False)
    assert done.returncode == 0
    figures = json.loads(told.read_text())
    assert set(figures["logins"]) == {"load-ike", "load-sstp", "both at one time", "RADIUS alone"}
    assert len(figures["dial"]) == 9
