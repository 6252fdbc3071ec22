"""A computer dials another gateway than its own."""

from __future__ import annotations

from typing import Any

import pytest

from lab.checks import connect
from lab.checks.connect import connects, refused
from lab.topology.model.steps import Connects, Refused
from lab.world import Outcome
from tests.unit.lab.checks.fakes import FakeGateway, FakeWorld, connection, refusal


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    monkeypatch.setattr(connect, "LEAVING_LIMIT", 0.1)
    world = FakeWorld()
    world.gateways["other"] = FakeGateway()
    world.gateways["other"].name = "other"
    world.alice.answers = connection()
    return world


async def dials(world: FakeWorld, **more: Any) -> Outcome:
    step = Connects.model_validate({"connects": "alice", **more})
    return await connects(step, world)  # type: ignore[arg-type]


async def test_the_tunnel_to_the_first_ends(world: FakeWorld) -> None:
    assert (await dials(world)).held
    outcome = await dials(world, to="other")
    assert (outcome.held, outcome.detail.endswith("at other")) == (True, True)
    assert (world.gateway.rows, len(world.gateways["other"].rows)) == ([], 1)


async def test_a_first_gateway_that_keeps_the_session_is_told(world: FakeWorld) -> None:
    assert (await dials(world)).held
    world.alice.says_goodbye = False
    outcome = await dials(world, to="other")
    assert not outcome.held
    assert "gw ends the session before" in outcome.detail


async def test_a_tunnel_elsewhere_does_not_count(world: FakeWorld) -> None:
    assert (await dials(world, to="other")).held
    assert (await dials(world, to="other")).detail.startswith("is connected already")
    assert (await dials(world)).held
    assert world.alice.dialled == [None, None]
    assert len(world.gateway.rows) == 1


async def test_the_other_gateway_refuses(world: FakeWorld) -> None:
    world.alice.answers = refusal("tls")
    step = Refused.model_validate({"refused": "alice", "to": "other", "because": "tls"})
    assert (await refused(step, world)).held  # type: ignore[arg-type]
    assert world.alice.gateway.name == "other"
