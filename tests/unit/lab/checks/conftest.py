"""A world in memory, and what arrives at its hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lab.checks import reach
from tests.unit.lab.checks.fakes import FakeNode, FakeWorld


class Everything:
    """All that anybody sends."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture(autouse=True)
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What arrives at app1: the list's only item."""
    packets: list[Any] = [Everything()]

    @asynccontextmanager
    async def arrivals(node: FakeNode) -> AsyncIterator[Any]:
        assert node.name == "app1"
        yield packets[0]

    monkeypatch.setattr(reach, "arrivals", arrivals)
    return packets
