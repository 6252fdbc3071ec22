"""The SSTP worker drops its rights although no other user may read an ordinary user's home."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness import as_user

CHECKOUT = Path(__file__).parents[2]
TESTS = (
    "tests/unit/gateway/sstp/worker/test_privileges.py",
    "tests/unit/gateway/unprivileged/test_privileges.py",
    "tests/e2e/test_gateway_sstp_worker.py",
)
LIMIT = 600
"""Seconds: the user's first run makes a private root."""


@pytest.mark.skipif(not as_user.possible(), reason="these tests run as an ordinary user already")
def test_a_users_gateway_has_a_worker_without_rights_too() -> None:
    done = subprocess.run(
        as_user.argv("./p2slab", "test", *TESTS, "-q"),
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
