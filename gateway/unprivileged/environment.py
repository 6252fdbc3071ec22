"""A worker's environment variables."""

from __future__ import annotations

import os
from pathlib import Path

_PASSED_ON = ("PATH", "HOME", "P2SLAB_CACHE", "P2SLAB_NATIVE")


def worker_environment() -> dict[str, str]:
    """The environment of a worker: only what it needs, and UTC, because time zones are files and it
    sees none."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed_on, "PYTHONPATH": str(Path(__file__).parents[2]), "TZ": "UTC"}
