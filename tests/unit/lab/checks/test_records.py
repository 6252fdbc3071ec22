"""A gateway's records of one client computer."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from lab.checks import records
from lab.world import End
from tests.unit.lab.checks.fakes import FakeClient, FakeGateway

BEGAN = "2026-01-01T00:00:00.000+00:00"


async def test_what_was_found_once_is_found_when_the_router_has_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def forgotten(_: str, _ends: Collection[End]) -> set[End]:
        return set()

    gateway = FakeGateway()
    alice: Any = FakeClient("alice", gateway)
    gateway.wrote("refused", "revoked", attemptTime="2026-01-01T00:00:01.000+00:00")
    gateway.wrote("refused", "revoked", attemptTime="2026-01-01T00:00:01.000+00:00",
                  publicPort="40999")  # fmt: skip
    [row] = await records.of_attempts(alice, "IkeV2", BEGAN)
    assert await records.of_attempts(alice, "SSTP", BEGAN) == []
    monkeypatch.setattr(alice, "made", forgotten)
    assert await records.of_attempts(alice, "IkeV2", BEGAN) == [row]
    gateway.wrote("refused", "expired", attemptTime="2026-01-01T00:00:02.000+00:00")
    assert await records.of_attempts(alice, "IkeV2", BEGAN) == [row]
    assert await records.of_attempts(alice, "IkeV2", "2026-01-01T00:00:03.000+00:00") == []
