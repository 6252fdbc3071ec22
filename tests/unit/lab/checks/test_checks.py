"""Each check holds when its statement is true, and fails when it is not: the words of dialling, and
what all have in common."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.common.rotation import Place
from gateway.common.turns import Patience
from lab.checks import connect, records
from lab.checks.run import WORK, run_steps
from lab.failure import REPORT
from lab.topology.model.steps import ACTIONS, CHECKS, SECOND_FACTOR, Steps
from lab.vpn_client import NotDialledError
from lab.world import Outcome
from radius.reasons import Refusal
from tests.unit.lab.checks.fakes import FakeWorld, connection, refusal
from tests.unit.lab.checks.steps import outcome


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


async def test_connects_does_not_dial_again_what_stands_at_both_ends(world: FakeWorld) -> None:
    world.alice.answers = connection()
    assert (await outcome(world, connects="alice")).held
    assert (await outcome(world, connects="alice", over="IkeV2")).held
    assert len(world.alice.dialled) == 1


@pytest.mark.parametrize("gone", ["client", "gateway"])
async def test_connects_dials_again_when_one_end_has_no_session(
    world: FakeWorld, gone: str
) -> None:
    """As after `disconnect`: the client has not noticed yet."""
    world.alice.answers = connection()
    await outcome(world, connects="alice")
    if gone == "client":
        world.alice.up = None
    else:
        world.gateway.rows.clear()
        world.bob.answers = connection()
        await outcome(world, connects="bob")  # same user, certificate and address
    assert "already" not in (await outcome(world, connects="alice")).detail
    assert len(world.alice.dialled) == 2


async def test_connects_fails_when_only_the_client_says_so(world: FakeWorld) -> None:
    world.alice.answers = connection()
    world.alice.at_gateway = False
    found = await outcome(world, connects="alice")
    assert not found.held
    assert "the gateway has no session of it" in found.detail


async def test_connects_after_needs_a_dial_and_not_only_a_profile_without_the_protocol(
    world: FakeWorld,
) -> None:
    world.alice.answers = connection("OpenVPN")
    world.alice.failures = [NotDialledError("IkeV2", "no-protocol", "not offered", 0.0)]
    found = await outcome(world, connects="alice", over="OpenVPN", after="IkeV2")
    assert not found.held
    assert "IkeV2 was not tried" in found.detail


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


EARLIER = "2020-01-01T00:00:00.000+00:00"


@pytest.mark.parametrize(
    "about",
    [
        {"attemptTime": EARLIER},  # alice's attempt before this one, though written down now
        {"attemptTime": ""},
        {"publicPort": "40002"},  # bob's, of the same certificate, behind the same NAT
        {"publicPort": ""},
        {"publicIpAddress": "192.0.2.3"},
        {"protocol": "OpenVPN"},
    ],
    ids=str,
)
async def test_another_attempts_record_is_no_reason(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, about: dict[str, str]
) -> None:
    monkeypatch.setattr(records, "LOG_LIMIT", 0.05)
    busy(monkeypatch, "run", passed=0.1, starved=0)  # what others do here is not told
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "revoked", **about)
    found = await outcome(world, refused="alice", because="revoked")
    assert not found.held
    assert found.detail == "refused, the gateway gave no reason for this dial"


async def test_a_record_is_ones_own_whatever_name_it_has(world: FakeWorld) -> None:
    """A handshake that openvpn aborts has none."""
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "expired", user="", thumbprint="", serialNumber="")
    world.gateway.wrote("refused", "revoked", publicPort="40002")
    assert (await outcome(world, refused="alice", because="expired")).held


@pytest.mark.parametrize("reason", ["refused", "no-address"])
async def test_refused_fails_for_one_whom_the_gateway_let_in_for_a_moment(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(records, "LOG_LIMIT", 0.05)
    world.alice.answers = refusal(reason, "Call Disconnect")
    world.gateway.wrote("connected", "", "assigned 172.16.0.1", publicPort="40002")  # bob
    assert (await outcome(world, refused="alice")).held
    world.gateway.wrote("connected", "", "assigned 172.16.0.2")
    found = await outcome(world, refused="alice")
    assert not found.held
    assert "was let in: assigned 172.16.0.2" in found.detail
    world.gateway.wrote("refused", "limit")  # thought better of it before the tunnel was up
    assert (await outcome(world, refused="alice", because="limit")).held


async def test_refused_takes_the_clients_reason_when_the_gateway_was_not_reached(
    world: FakeWorld,
) -> None:
    world.alice.answers = refusal("no-answer", "peer not responding")
    assert (await outcome(world, refused="alice", because="no-answer", says="responding")).held
    assert not (await outcome(world, refused="alice", says="something else")).held


@pytest.mark.parametrize(("server", "held"), [("10.1.1.9", True), ("10.1.1.10", False)])
async def test_connects_takes_the_radius_server_from_the_sessions_record(
    world: FakeWorld, server: str, *, held: bool
) -> None:
    world.addresses["nps1"] = "10.1.1.9"
    world.alice.answers = connection()
    about = {"vpnConnectionId": "alice-1", "radiusServer": server}
    world.gateway.wrote("connected", "", f"RADIUS server {server}", **about)
    other = {"vpnConnectionId": "bob-1", "radiusServer": "10.1.1.9"}
    world.gateway.wrote("connected", "", "RADIUS server 10.1.1.9", **other)
    for _ in ("dialled", "connected already"):
        found = await outcome(world, connects="alice", radius="nps1")
        assert found.held is held
        assert ("not by RADIUS server 10.1.1.9" in found.detail) is not held


class RadiusServer:
    """Its own log says more than it told the gateway."""

    def written(self) -> dict[Path, Place]:
        return {}

    def refusal(self, user: str, since: object, *, agreed: bool) -> Refusal | None:
        del since
        return None if agreed else Refusal(user, "not-in-group", "not in the required group")


@pytest.mark.parametrize(("server", "because"), [("10.1.1.9", "not-in-group"), ("", "password")])
async def test_refused_asks_the_radius_server_only_where_one_refused(
    world: FakeWorld, server: str, because: str
) -> None:
    world.radius["nps1"] = RadiusServer()
    world.alice.answers = refusal()
    world.gateway.wrote("refused", "password", "RADIUS server 10.1.1.9: no", radiusServer=server)
    assert (await outcome(world, refused="alice", because=because)).held


@pytest.mark.parametrize(("rival", "because"), [(True, "password"), (False, "not-in-group")])
async def test_a_radius_servers_word_on_a_user_who_dials_twice_must_be_one(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch, because: str, *, rival: bool
) -> None:
    """Both computers' user is alice."""
    monkeypatch.setattr(connect, "SERVERS_LIMIT", 0.05)
    world.radius["nps1"] = RadiusServer()
    world.alice.answers = refusal("password")
    world.bob.dialled_until = math.inf if rival else 0.0
    world.gateway.wrote("refused", "password", "no", radiusServer="10.1.1.9")
    assert (await outcome(world, refused="alice", because=because)).held


async def test_refused_fails_for_one_who_is_let_in(world: FakeWorld) -> None:
    world.alice.answers = connection()
    found = await outcome(world, refused="alice")
    assert not found.held
    assert "was let in" in found.detail


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
