"""`verify` on a file of the checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
LIMIT = 600
"""Seconds, on a busy machine; user-mode Linux may have to be fetched."""


def holds(file: str) -> dict[str, Any]:
    """Verify it; its verdict. AssertionError with what has not held."""
    done = subprocess.run(
        ["./p2slab", "verify", "--json", file],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.stdout, done.stderr
    [told] = json.loads(done.stdout)
    wrong = [f"{row['text']}: {row['detail']}" for row in told["results"] if not row["held"]]
    assert (done.returncode, wrong) == (0, []), done.stderr
    verdict: dict[str, Any] = told
    return verdict
