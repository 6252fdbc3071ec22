"""Each check holds when its statement is true, and fails when it is not."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.common.rotation import Place
from gateway.common.turns import Patience
from lab.checks import connect, session
from lab.checks.run import WORK, run_steps
from lab.failure import REPORT
from lab.nodes.base import Completed
from lab.topology.model.steps import ACTIONS, CHECKS, SECOND_FACTOR, Steps
from lab.world import Outcome
from radius.reasons import Refusal
from tests.unit.lab.checks.fakes import ALICE, FakeWorld, connection, refusal


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


async def outcome(world: FakeWorld, **step: Any) -> Outcome:
    (parsed,) = Steps.validate_python([step])
    told: list[Outcome] = []
    held = await run_steps([parsed], world, lambda *row: told.append(row[2]))  # type: ignore[arg-type]
    (one,) = told
    assert held == one.held
    return one


def test_every_step_has_a_function() -> None:
    assert set(WORK) == {*CHECKS, *ACTIONS, *SECOND_FACTOR}


async def test_connects_holds_when_the_client_gets_in(world: FakeWorld) -> None:
    world.alice.answers = connection()
    assert (await outcome(world, connects="alice", over="IkeV2", within=1)).held
    assert world.alice.dialled == ["IkeV2"]


def busy(monkeypatch: pytest.MonkeyPatch, module: str, *, passed: float, starved: float) -> None:
    """As if this much time had passed, and this much of it had been withheld."""

    @asynccontextmanager
    async def patience(_: float) -> AsyncIterator[Patience]:
        counted = Patience(math.inf)
        counted.passed, counted.starved = passed, starved
        yield counted

    monkeypatch.setattr(f"lab.checks.{module}.patience", patience)


async def test_time_that_the_machine_withheld_is_no_part_of_within(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.alice.answers = connection(seconds=6.0)
    busy(monkeypatch, "connect", passed=6.0, starved=1.5)
    assert (await outcome(world, connects="alice", within=5)).held
    await world.alice.hang_up()
    assert not (await outcome(world, connects="alice", within=4)).held


@pytest.mark.parametrize(("starved", "blamed"), [(0.4, False), (0.6, True)])
async def test_a_failure_on_a_busy_machine_says_so(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, starved: float, blamed: bool
) -> None:
    busy(monkeypatch, "run", passed=1.0, starved=starved)
    world.alice.answers = refusal()
    detail = (await outcome(world, connects="alice")).detail
    assert ("; the machine was busy: for 0.6 s of 1.0 s" in detail) is blamed
    world.alice.answers = connection()
    assert "busy" not in (await outcome(world, connects="alice")).detail


async def test_connects_does_not_dial_again_what_is_up(world: FakeWorld) -> None:
    world.alice.up = connection()
    assert (await outcome(world, connects="alice", over="IkeV2")).held
    assert world.alice.dialled == []


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"over": "OpenVPN"}, "connected over IkeV2"),
        ({"within": 0.05}, "took 0.10 s"),
        ({"after": "SSTP"}, "SSTP was not tried before"),
    ],
)
async def test_connects_fails_over_the_wrong_thing(
    world: FakeWorld, step: dict[str, Any], words: str
) -> None:
    world.alice.answers = connection()
    found = await outcome(world, connects="alice", **step)
    assert not found.held
    assert words in found.detail


async def test_connects_after_lets_the_operating_system_choose(world: FakeWorld) -> None:
    world.alice.answers = connection("OpenVPN")
    world.alice.failures = [refusal("no-answer")]
    assert (await outcome(world, connects="alice", over="OpenVPN", after="IkeV2")).held
    assert world.alice.dialled == [None]


async def test_connects_fails_with_the_clients_message_when_refused(world: FakeWorld) -> None:
    world.alice.answers = refusal()
    found = await outcome(world, connects="alice")
    assert not found.held
    assert "AUTH_FAILED" in found.detail


async def test_refused_takes_the_gateways_reason_for_a_client_that_was_told_none(
    world: FakeWorld,
) -> None:
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "revoked")
    assert (await outcome(world, refused="alice", because="revoked")).held
    assert not (await outcome(world, refused="alice", because="expired")).held


async def test_refused_does_not_take_an_old_record_for_a_new_one(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "LOG_LIMIT", 0.05)
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "revoked")
    world.gateway.records[0]["time"] = "2020-01-01T00:00:00+00:00"
    assert not (await outcome(world, refused="alice", because="revoked")).held


@pytest.mark.parametrize(
    ("about", "own"),
    [
        ({}, True),
        ({"thumbprint": "B" * 40}, False),  # another certificate of the same name
        ({"thumbprint": "", "serialNumber": "7", "user": ""}, True),
        ({"thumbprint": "", "serialNumber": "8"}, False),
        ({"thumbprint": ""}, True),
        ({"thumbprint": "", "user": "bob"}, False),
        ({"thumbprint": "", "user": ""}, False),
    ],
)
async def test_a_neighbours_record_is_not_taken_for_ones_own(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, about: dict[str, str], *, own: bool
) -> None:
    monkeypatch.setattr(connect, "LOG_LIMIT", 0.05)
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "revoked", **about)
    assert (await outcome(world, refused="alice", because="revoked")).held is own


async def test_who_has_no_name_is_not_taken_for_another_without_one(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "LOG_LIMIT", 0.05)
    monkeypatch.setattr(world.alice, "user", "")
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "revoked", user="", thumbprint="")
    assert not (await outcome(world, refused="alice", because="revoked")).held


async def test_refused_takes_the_clients_reason_when_the_gateway_was_not_reached(
    world: FakeWorld,
) -> None:
    world.alice.answers = refusal("no-answer", "peer not responding")
    assert (await outcome(world, refused="alice", because="no-answer", says="responding")).held
    assert not (await outcome(world, refused="alice", says="something else")).held


@pytest.mark.parametrize(("server", "held"), [("10.1.1.9", True), ("10.1.1.10", False)])
async def test_connects_takes_the_radius_server_from_the_records_field(
    world: FakeWorld, server: str, *, held: bool
) -> None:
    world.addresses["nps1"] = "10.1.1.9"
    world.alice.answers = connection()
    world.gateway.wrote("connected", "", "RADIUS server 10.1.1.9", radiusServer=server)
    found = await outcome(world, connects="alice", radius="nps1")
    assert found.held is held
    assert ("not by RADIUS server 10.1.1.9" in found.detail) is not held


class RadiusServer:
    """Its own log says more than it told the gateway."""

    def written(self) -> dict[Path, Place]:
        return {}

    def refusal(self, user: str, since: object) -> Refusal:
        del since
        return Refusal(user, "not-in-group", "not in the required group")


@pytest.mark.parametrize(("server", "because"), [("10.1.1.9", "not-in-group"), ("", "password")])
async def test_refused_asks_the_radius_server_only_where_one_refused(
    world: FakeWorld, server: str, because: str
) -> None:
    world.radius["nps1"] = RadiusServer()
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "password", "RADIUS server 10.1.1.9: no", radiusServer=server)
    assert (await outcome(world, refused="alice", because=because)).held


async def test_refused_fails_for_one_who_is_let_in(world: FakeWorld) -> None:
    world.alice.answers = connection()
    found = await outcome(world, refused="alice")
    assert not found.held
    assert "was let in" in found.detail


@pytest.fixture
def tcp_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def udp_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def echo() -> None:
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)

        thread = threading.Thread(target=echo)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


async def test_tcp_is_reached_where_something_accepts(world: FakeWorld, tcp_port: int) -> None:
    assert (await outcome(world, reaches="alice", host="app1", port=tcp_port)).held
    assert not (await outcome(world, cannotReach="alice", host="app1", port=tcp_port)).held


async def test_tcp_is_not_reached_where_nothing_listens(world: FakeWorld) -> None:
    assert not (await outcome(world, reaches="alice", host="app1", port=1)).held
    assert (await outcome(world, cannotReach="alice", host="app1", port=1)).held


async def test_udp_is_reached_only_where_something_answers(world: FakeWorld, udp_port: int) -> None:
    assert (await outcome(world, reaches="alice", host="app1", port=udp_port, protocol="udp")).held
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        step = {"host": "app1", "port": port, "protocol": "udp", "within": 0.3}
        assert not (await outcome(world, reaches="alice", **step)).held


async def test_ping_decides_for_icmp(world: FakeWorld) -> None:
    world.alice.node.prints["ping"] = Completed(0, "64 bytes: time=1 ms\n", "")
    assert (await outcome(world, reaches="alice", host="app1", protocol="icmp")).held
    world.alice.node.prints["ping"] = Completed(1, "1 packets transmitted, 0 received\n", "")
    assert not (await outcome(world, reaches="alice", host="app1", protocol="icmp")).held


async def test_a_name_is_asked_of_the_nodes_own_resolver(world: FakeWorld) -> None:
    world.alice.node.prints["getent"] = Completed(0, "10.1.1.4 STREAM app1\n10.1.1.4 DGRAM\n", "")
    assert (await outcome(world, resolves="alice", name="app1", to="10.1.1.4")).held
    assert not (await outcome(world, resolves="alice", name="app1", to="10.9.9.9")).held
    world.alice.node.prints["getent"] = Completed(2, "", "")
    assert not (await outcome(world, resolves="alice", name="app1")).held


async def test_disconnected_waits_for_the_end_and_for_the_reason(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOG_LIMIT", 0.05)
    assert not (await outcome(world, disconnected="alice", within=0.05)).held
    world.alice.over.set()
    assert (await outcome(world, disconnected="alice")).held
    assert not (await outcome(world, disconnected="alice", because="revoked")).held
    world.gateway.wrote("disconnected", "revoked")
    assert (await outcome(world, disconnected="alice", because="revoked")).held


async def test_stays_disconnected_sees_the_client_and_new_sessions_only(world: FakeWorld) -> None:
    step = {"staysDisconnected": "alice", "for": 0.2}
    world.gateway.rows = [{"vpnConnectionId": "old", "thumbprint": ALICE}]
    assert (await outcome(world, **step)).held
    later = asyncio.get_running_loop().call_later(
        0.05, world.gateway.rows.append, {"vpnConnectionId": "new", "thumbprint": ALICE}
    )
    assert not (await outcome(world, **step)).held
    later.cancel()
    world.gateway.rows.clear()
    world.alice.up = connection()
    assert not (await outcome(world, **step)).held


async def test_revoke_and_reinstate_change_the_gateways_list_and_nothing_else(
    world: FakeWorld,
) -> None:
    configuration = world.gateway.resource["properties"]["vpnClientConfiguration"]
    other = {"name": "other", "properties": {"thumbprint": "B" * 40}}
    configuration["vpnClientRevokedCertificates"] = [other]
    await outcome(world, revoke="alice")
    rows = configuration["vpnClientRevokedCertificates"]
    assert [row["properties"]["thumbprint"] for row in rows] == ["B" * 40, ALICE]
    await outcome(world, reinstate="alice")
    assert configuration["vpnClientRevokedCertificates"] == [other]


async def test_disconnect_ends_the_clients_sessions_only(world: FakeWorld) -> None:
    assert not (await outcome(world, disconnect="alice")).held
    world.gateway.rows = [
        {"vpnConnectionId": "1", "thumbprint": ALICE},
        {"vpnConnectionId": "2", "thumbprint": "B" * 40},
    ]
    assert (await outcome(world, disconnect="alice")).held
    assert world.gateway.disconnected == ["1"]


async def test_a_restart_and_a_hang_up_reach_the_computer(world: FakeWorld) -> None:
    world.alice.up = connection()
    await outcome(world, hangUp="alice")
    assert world.alice.up is None
    await outcome(world, restart="alice")
    assert world.alice.restarted


async def test_update_puts_the_merged_document(world: FakeWorld) -> None:
    await outcome(world, update="gw", properties={"sku": {"name": "VpnGw2"}})
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


async def test_a_check_that_breaks_has_not_held_and_the_others_go_on(world: FakeWorld) -> None:
    steps = Steps.validate_python([{"connects": "nobody"}, {"connects": "alice"}])
    world.alice.answers = connection()
    told: dict[int, Outcome] = {}
    held = await run_steps(steps, world, lambda i, _s, o, _t: told.update({i: o}))  # type: ignore[arg-type]
    assert not held
    assert told[0].detail == f"a bug in p2slab: 'nobody'; {REPORT}"
    assert told[1].held


OFFERED = "no common IKE proposal: the gateway takes IKE:A; the client offered IKE:B"
NO_ONE = {"user": "", "thumbprint": ""}


def none_common(world: FakeWorld) -> None:
    world.addresses["home"] = "192.0.2.2"
    world.alice.answers = refusal("no-proposal", "received NO_PROPOSAL_CHOSEN notify error")


async def test_proposals_of_both_sides_are_quoted_from_the_gateway(world: FakeWorld) -> None:
    none_common(world)
    world.alice.on_dial = lambda: world.gateway.wrote(
        "refused", "no-proposal", OFFERED, publicIpAddress="192.0.2.2", **NO_ONE
    )
    held = await outcome(world, refused="alice", because="no-proposal")
    assert held.held
    assert OFFERED in held.detail
    failed = await outcome(world, connects="alice")
    assert not failed.held
    assert OFFERED in failed.detail
    assert failed.evidence["the gateway's log"]["message"] == OFFERED


@pytest.mark.parametrize(
    "record",
    [
        {"publicIpAddress": "192.0.2.3"},
        {"publicIpAddress": "192.0.2.2", "thumbprint": "B" * 40},
        {"publicIpAddress": "192.0.2.2", "time": "2026-01-01T00:00:00+00:00"},
        {"publicIpAddress": "192.0.2.2", "reason": "refused"},
    ],
)
async def test_another_dials_proposals_are_not_quoted(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, record: dict[str, str]
) -> None:
    monkeypatch.setattr(connect, "LOG_LIMIT", 0.02)
    none_common(world)
    about = {"reason": "no-proposal", "publicIpAddress": "192.0.2.2"} | NO_ONE | record
    reason = about.pop("reason")
    world.alice.on_dial = lambda: world.gateway.wrote("refused", reason, OFFERED, **about)
    held = await outcome(world, refused="alice", because="no-proposal")
    assert held.held, "the client's own word is enough"
    assert OFFERED not in held.detail


async def test_neighbours_who_offer_different_things_leave_it_open(world: FakeWorld) -> None:
    none_common(world)

    def both() -> None:
        for message in (OFFERED, "of the neighbour"):
            world.gateway.wrote(
                "refused", "no-proposal", message, publicIpAddress="192.0.2.2", **NO_ONE
            )

    world.alice.on_dial = both
    held = await outcome(world, refused="alice", because="no-proposal")
    assert held.held
    assert OFFERED not in held.detail
    assert "neighbour" not in held.detail
