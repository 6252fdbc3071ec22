"""What operators and users do, and the ends of sessions that follow."""

from __future__ import annotations

import asyncio

import pytest

from lab.checks import records
from lab.checks.actions import REVOKED
from lab.world import Changed
from tests.unit.lab.checks.fakes import ALICE, FakeWorld, connection, refusal
from tests.unit.lab.checks.steps import outcome


async def test_disconnected_waits_for_the_end_and_for_the_reason(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LOG_LIMIT", 0.05)
    world.alice.answers = connection()
    await outcome(world, connects="alice")
    assert not (await outcome(world, disconnected="alice", within=0.05)).held
    world.alice.over.set()
    assert (await outcome(world, disconnected="alice")).held
    world.gateway.wrote("disconnected", "revoked", vpnConnectionId="bob-1")
    assert not (await outcome(world, disconnected="alice", because="revoked")).held
    world.gateway.wrote("disconnected", "revoked", vpnConnectionId="alice-1")
    world.gateway.wrote("disconnected", "", "stopped", vpnConnectionId="bob-2")
    assert (await outcome(world, disconnected="alice", because="revoked")).held


async def test_disconnected_fails_for_one_who_never_was_connected(world: FakeWorld) -> None:
    world.alice.over.set()
    found = await outcome(world, disconnected="alice")
    assert (found.held, found.detail) == (False, "alice was not connected")
    world.alice.answers = refusal("no-answer")
    await outcome(world, connects="alice")
    assert not (await outcome(world, disconnected="alice")).held


async def test_stays_disconnected_sees_the_client_and_its_new_sessions_only(
    world: FakeWorld,
) -> None:
    step = {"staysDisconnected": "alice", "for": 0.2}
    world.gateway.row(world.alice, "old")
    later = asyncio.get_running_loop().call_later
    later(0.05, world.gateway.row, world.bob, "bob's")
    assert (await outcome(world, **step)).held
    later(0.05, world.gateway.row, world.alice, "new")
    found = await outcome(world, **step)
    assert (found.held, found.detail) == (False, "the gateway has a new session: new")
    world.gateway.rows.clear()
    world.alice.up = connection()
    assert not (await outcome(world, **step)).held
    world.alice.up, world.alice.left = None, ["172.16.0.1"]
    found = await outcome(world, **step)
    assert (found.held, found.detail) == (False, "the computer has 172.16.0.1")


async def test_revoke_and_reinstate_change_the_gateways_list_and_nothing_else(
    world: FakeWorld,
) -> None:
    configuration = world.gateway.resource["properties"]["vpnClientConfiguration"]
    other = {"name": "other", "properties": {"thumbprint": "B" * 40}}
    configuration["vpnClientRevokedCertificates"] = [other]
    revoked = await outcome(world, revoke="alice")
    rows = world.gateway.resource["properties"]["vpnClientConfiguration"][REVOKED]
    assert [row["properties"]["thumbprint"] for row in rows] == ["B" * 40, ALICE]
    reinstated = await outcome(world, reinstate="alice")
    assert world.gateway.resource["properties"]["vpnClientConfiguration"] == configuration
    path = f"vpnClientConfiguration.{REVOKED}"
    assert revoked.changed == Changed("gw", {path: ([other], rows)})
    assert reinstated.changed == Changed("gw", {path: (rows, [other])})


async def test_what_is_so_already_is_no_deed(world: FakeWorld) -> None:
    """An explanation would take it for what ended a tunnel."""
    world.alice.up = connection()
    steps = [{"revoke": "alice"}, {"reinstate": "alice"}, {"hangUp": "alice"}]
    for step in steps:
        first, again = [await outcome(world, **step) for _ in range(2)]
        assert (first.held, first.idle) == (True, False), step
        assert (again.held, again.idle) == (True, True), step
    assert again.detail == "it was not connected"


async def test_disconnect_ends_the_clients_session_only(world: FakeWorld) -> None:
    world.bob.answers = world.alice.answers = connection()
    await outcome(world, connects="bob")
    assert not (await outcome(world, disconnect="alice")).held
    await outcome(world, connects="alice")
    assert (await outcome(world, disconnect="alice")).held
    assert world.gateway.disconnected == ["alice-1"]


async def test_a_restart_and_a_hang_up_reach_the_computer(world: FakeWorld) -> None:
    world.alice.up = connection()
    await outcome(world, hangUp="alice")
    assert world.alice.up is None
    assert (await outcome(world, restart="alice")).held
    assert world.alice.restarted


async def test_a_restart_that_does_nothing_does_not_hold(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing() -> None:
        """It goes on running."""

    monkeypatch.setattr(world.alice, "restart", nothing)
    found = await outcome(world, restart="alice")
    assert (found.held, found.detail) == (False, "alice is still running")


async def test_a_restart_that_leaves_a_tunnel_does_not_hold(world: FakeWorld) -> None:
    world.alice.left = ["172.16.0.1"]
    found = await outcome(world, restart="alice")
    assert (found.held, found.detail) == (False, "still has 172.16.0.1")


async def test_update_puts_the_merged_document(world: FakeWorld) -> None:
    found = await outcome(world, update="gw", properties={"sku": {"name": "VpnGw2"}})
    assert found.changed == Changed("gw", {"sku.name": (None, "VpnGw2")})
    assert world.gateway.resource["properties"]["sku"] == {"name": "VpnGw2"}


async def test_delete_takes_the_connections_first(world: FakeWorld) -> None:
    world.gateway.tunnels = {"branch": {}, "office": {}}
    assert (await outcome(world, delete="gw")).held
    assert world.gateway.deleted == ["connections branch", "connections office", "gateway"]
    assert not (await outcome(world, delete="gw")).held


async def test_create_hands_on_what_is_merged(world: FakeWorld) -> None:
    assert not (await outcome(world, create="gw")).held
    assert world.created == []
    await outcome(world, delete="gw")
    await outcome(world, create="gw", properties={"sku": {"name": "VpnGw2"}})
    assert world.created == [("gw", {"sku": {"name": "VpnGw2"}})]
