"""A complete lab from the text of a topology, for a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from lab.runtime.lab import Lab
from lab.topology.load import TopologyFile, load_bytes
from tests.rigs.isolated import isolated

HERE = Path(__file__).parent


def in_a_lab(logs: Path, text: str, test: Callable[[Lab], Awaitable[None]]) -> None:
    """Build it, run the test, and let the kernel take it away."""
    file = TopologyFile(HERE / "test.yaml", load_bytes(text.encode(), "test.yaml", HERE))

    async def there() -> None:
        lab = Lab(file.plan(), logs, file)
        await lab.build(lambda _event: None)
        await test(lab)

    isolated(there)
