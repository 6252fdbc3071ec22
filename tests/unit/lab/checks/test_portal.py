"""Signing in at a captive portal: first its page, then the way out."""

from __future__ import annotations

from typing import Any

import pytest

from lab.checks import portal
from lab.nodes.base import Completed
from lab.topology.model.steps import SignIn
from tests.unit.lab.checks.fakes import FakeWorld

STEP = SignIn(signIn="alice")


@pytest.fixture
def admitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(portal.nft, "run", told.append)
    return told


async def signed_in(said: Completed) -> Any:
    world: Any = FakeWorld()
    world.alice.node.prints["curl"] = said
    world.addresses = {"alice": "192.168.77.10"}
    return await portal.sign_in(STEP, world)


async def test_who_sees_the_page_is_let_out(admitted: list[str]) -> None:
    outcome = await signed_in(Completed(0, "http://192.168.77.1:8080/sign-in", ""))
    assert outcome.held
    assert outcome.detail.startswith("signed in at 192.168.77.1:8080")
    assert admitted == ["add element inet p2slab signed_in { 192.168.77.10 }\n"]


@pytest.mark.parametrize(
    "said",
    [
        Completed(0, "http://198.51.100.253/", ""),
        Completed(7, "", "Connection refused"),
        Completed(28, "http://192.168.77.1:8080/sign-in", "timed out"),
    ],
)
async def test_who_sees_no_page_is_not(said: Completed, admitted: list[str]) -> None:
    outcome = await signed_in(said)
    assert not outcome.held
    assert admitted == []
