"""Every word of `expect:` is explained when it did not hold."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain import explainer as explainer_module
from lab.explain import steps
from lab.explain.inside import Goal
from lab.explain.model import Explanation
from lab.explain.steps import HOW, explain_step
from lab.topology.model.steps import (
    VERBS,
    Connects,
    Delete,
    Deny,
    Disconnected,
    Fault,
    Refused,
    StaysDisconnected,
    Update,
)
from lab.vpn_client import Dialled
from lab.world import Deed
from tests.unit.lab.checks.fakes import ALICE, FakeWorld, connection, refusal


class Explainer:
    """Remembers what it was asked for."""

    def __init__(self, world: FakeWorld) -> None:
        self.scene: Any = SimpleNamespace(world=world, said=lambda *_: [])
        self.asked: list[str] = []
        self.failed: Explanation | None = None

    async def dial(self, client: Any, *, even_connected: bool = False) -> Explanation | None:
        self.asked.append(f"dial {client.name}")
        return self.failed

    async def client(self, client: Any) -> Explanation:
        self.asked.append(f"client {client.name}")
        return Explanation(client.name, "it has not dialled")

    async def goal(self, name: str, goal: Goal) -> Explanation:
        self.asked.append(f"{name} {goal}")
        return Explanation(name, "reached")


@pytest.fixture
def world() -> FakeWorld:
    found = FakeWorld()
    dialled = Dialled("2026-01-01T00:00:00.000+00:00", 1000.0, (refusal(),), {}, connection())
    for client in found.clients.values():
        client.last_dial = dialled  # type: ignore[attr-defined]
    return found


@pytest.fixture
def explainer(world: FakeWorld) -> Explainer:
    return Explainer(world)


def let_in(world: FakeWorld, **about: str) -> None:
    world.alice.up, world.alice.session = connection(), "own"
    world.gateway.row(world.alice, "own")
    world.gateway.wrote("connected", "", "assigned 172.16.0.1", vpnConnectionId="own", **about)


def test_every_word_has_a_row() -> None:
    assert set(HOW) == set(VERBS.values())


async def test_who_was_let_in_is_told_by_what_the_gateway_wrote(
    world: FakeWorld, explainer: Explainer
) -> None:
    let_in(world)
    found = await explain_step(Refused(refused="alice"), explainer)
    assert "alice is connected over IkeV2, 172.16.0.1 since" in found.sentence
    assert f"its certificate {ALICE} is none of the 0 of vpnClientRevoked" in found.sentence
    assert [row.layer for row in found.chains[0].findings][-1] == "address"


async def test_whom_a_radius_server_accepted(world: FakeWorld, explainer: Explainer) -> None:
    let_in(world, radiusServer="192.168.50.10", thumbprint="")
    found = await explain_step(Refused(refused="alice"), explainer)
    assert "RADIUS server 192.168.50.10 accepted alice" in found.sentence


async def test_the_certificate_that_is_revoked_by_now(
    world: FakeWorld, explainer: Explainer
) -> None:
    let_in(world)
    rows = [{"name": "lost", "properties": {"thumbprint": ALICE}}]
    configuration = {"vpnClientRevokedCertificates": rows}
    world.gateway.resource["properties"]["vpnClientConfiguration"] = configuration
    found = await explain_step(Refused(refused="alice"), explainer)
    assert "in vpnClientRevokedCertificates now (lost)" in found.sentence


async def test_a_tunnel_without_a_session_is_broken(world: FakeWorld, explainer: Explainer) -> None:
    world.alice.up = connection()
    found = await explain_step(Connects(connects="alice"), explainer)
    assert found.broken
    assert found.broken.layer == "address"
    assert "the gateway has no session of it" in found.sentence


async def test_the_ways_that_failed_come_before_the_one_that_did_not(
    world: FakeWorld, explainer: Explainer
) -> None:
    let_in(world)
    explainer.failed = Explanation("alice", "SSTP: a firewall")
    found = await explain_step(Connects(connects="alice", over="SSTP"), explainer)
    assert found.sentence.startswith("SSTP: a firewall; alice is connected over IkeV2")
    assert "IkeV2 failed after 0.10 s; the dial took 0.10 s" in found.sentence


async def test_who_is_not_connected_has_a_dial_or_none(
    world: FakeWorld, explainer: Explainer
) -> None:
    assert (await explain_step(Refused(refused="bob"), explainer)).sentence == "it has not dialled"
    assert explainer.asked == ["dial bob", "client bob"]


async def test_what_did_not_end_a_tunnel_is_told(world: FakeWorld, explainer: Explainer) -> None:
    let_in(world)
    world.past = [
        Deed(900.0, "revoke", "alice", "revoke alice", "before"),
        Deed(1100.0, "update", "gw", "update gw", "accepted"),
    ]
    found = await explain_step(Disconnected(disconnected="alice"), explainer)
    assert "since it dialled: at 1970-01-01T00:18:20.000+00:00 update gw (accepted)" in (
        found.sentence
    )
    assert "before" not in found.sentence


async def test_who_connects_by_itself(world: FakeWorld, explainer: Explainer) -> None:
    let_in(world)
    found = await explain_step(StaysDisconnected(staysDisconnected="alice"), explainer)
    assert "alice is connected over IkeV2, 172.16.0.1 since" in found.sentence


async def test_the_gateways_own_answer_stands_with_what_it_has(
    world: FakeWorld, explainer: Explainer
) -> None:
    world.gateway.resource["properties"]["provisioningState"] = "Succeeded"
    found = await explain_step(Update(update="gw", properties={}), explainer)
    assert found.sentence == f"{steps.OWN_WORDS}; its document is in force, and Succeeded"
    await world.gateway.delete_gateway()
    world.past = [Deed(2.0, "delete", "gw", "delete gw", "deleted, with 0 connection(s)")]
    found = await explain_step(Delete(delete="gw"), explainer)
    assert found.broken
    assert found.broken.layer == "gateway-down"
    [proof] = found.broken.proof
    assert proof.endswith("00:02.000+00:00: delete gw: deleted, with 0 connection(s)")


async def test_a_gateway_that_does_not_answer(
    world: FakeWorld, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse() -> bool:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(world.gateway, "exists", refuse)
    found = await explain_step(Update(update="gw", properties={}), explainer)
    assert "the API of gw does not answer: [Errno 111]" in found.sentence


async def test_a_fault_lists_those_before(world: FakeWorld, explainer: Explainer) -> None:
    world.past = [Deed(1.0, "fault", "s2s-cut", "fault s2s-cut", "the cable is cut")]
    found = await explain_step(Fault(fault="s2s-cut"), explainer)
    assert found.sentence.endswith("fault s2s-cut (the cable is cut)")


async def test_nobody_asks_the_user(world: FakeWorld, explainer: Explainer) -> None:
    found = await explain_step(Deny(deny="alice"), explainer)
    assert "no RADIUS server of this lab asks for a factor" in found.sentence
    assert explainer.asked == ["client alice", "client bob"]  # both sign in as alice
    found = await explain_step(Deny(deny="zoe"), explainer)
    assert found.sentence.endswith("no client signs in as zoe")


async def test_an_explanation_that_takes_too_long_is_given_up(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(world.gateway, "exists", hang)
    monkeypatch.setattr(explainer_module, "LIMIT", 0.1)
    scene: Any = SimpleNamespace(world=world, said=lambda *_: [])
    found = await explainer_module.Explainer(scene).of_step(Update(update="gw", properties={}))
    assert found["sentence"] == "no explanation: it was not found out within 0.1 s"
