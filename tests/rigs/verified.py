"""`verify` on a file of the checkout, for tests of labs rather than of the verb.

No program is started for it, which would take a fifth of the processor's time of a small lab.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.report.session import verify
from lab.topology.load import load

CHECKOUT = Path(__file__).parents[2]


def verified(file: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the verdict as `--json` has it. LoadError for a file that is refused."""
    verdict = verify(load(CHECKOUT / file), name=None, keep=False, on_event=lambda _: None)
    told: dict[str, Any] = json.loads(json.dumps(verdict.as_data()))
    return verdict.code, told


def holds(file: str) -> dict[str, Any]:
    """Verify it; its verdict. AssertionError with what has not held."""
    code, told = verified(file)
    wrong = [f"{row['text']}: {row['detail']}" for row in told["results"] if not row["held"]]
    assert (code, wrong) == (0, []), told["failure"]
    return told
