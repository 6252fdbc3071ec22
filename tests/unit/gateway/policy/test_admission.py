"""Admission control for all protocols: revoked, untrusted, limit, address."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from gateway.common.vocabulary import VpnProtocol
from gateway.policy.admission import Admission, Policy
from gateway.policy.pool import divide, usable
from gateway.policy.sessions import Peer, Sessions
from tests.rigs.fences import RecordingFence

ALICE = Peer("OpenVPN", "alice", ("A" * 40,), "R" * 40, "192.0.2.10")
POLICY = Policy(
    roots=frozenset(("R" * 40,)),
    limits={"IKEv2/OpenVPN": 250, "SSTP": 128},
    parts={
        "IkeV2": (IPv4Network("172.16.201.0/30"),),
        "OpenVPN": (IPv4Network("172.16.201.4/30"),),
        "SSTP": (IPv4Network("172.16.202.0/24"),),
    },
)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(RecordingFence())


@pytest.fixture
def gate(sessions: Sessions) -> Admission:
    gate = Admission(sessions)
    gate.policy = POLICY
    return gate


def peer(number: int, protocol: VpnProtocol = "OpenVPN") -> Peer:
    return replace(ALICE, thumbprints=(f"{number:040X}",), protocol=protocol)


def test_a_good_peer_is_admitted_with_an_address(gate: Admission) -> None:
    decision = gate.decide(ALICE)
    assert decision.reason is None
    assert decision.reservation
    assert decision.reservation.address == IPv4Address("172.16.201.6")  # .5 is the gateway's


def test_a_revoked_thumbprint_is_refused(gate: Admission) -> None:
    gate.policy = replace(POLICY, revoked=frozenset((ALICE.thumbprint,)))
    assert gate.decide(ALICE).reason == "revoked"


@pytest.mark.parametrize("listed", ["A" * 40, "B" * 40])
def test_either_thumbprint_of_a_signature_that_has_two_is_enough(
    gate: Admission, listed: str
) -> None:
    gate.policy = replace(POLICY, revoked=frozenset((listed,)))
    twins = replace(ALICE, thumbprints=("A" * 40, "B" * 40))
    assert gate.decide(twins).reason == "revoked"
    assert gate.decide(peer(1)).reason is None


def test_nobody_is_admitted_without_a_certificate(gate: Admission) -> None:
    assert gate.decide(replace(ALICE, thumbprints=())).reason == "no-certificate"


def test_one_certificate_does_not_take_every_place(gate: Admission) -> None:
    gate.policy = replace(POLICY, limits={"SSTP": 8})
    alice = peer(1, "SSTP")
    reasons = [gate.decide(alice).reason for _ in range(7)]
    assert reasons == [None] * 6 + ["limit"]
    assert [gate.decide(peer(n, "SSTP")).reason for n in (2, 3, 4)] == [None, None, "limit"]


def test_one_radius_user_does_not_take_every_place(gate: Admission) -> None:
    gate.policy = replace(POLICY, limits={"SSTP": 4}, authentication=frozenset(("Radius",)))
    alice = Peer("SSTP", "alice", (), "", authentication="Radius")
    assert [gate.decide(alice).reason for _ in range(4)] == [None, None, None, "limit"]
    assert gate.decide(replace(alice, user="bob")).reason is None


def test_a_root_that_is_not_uploaded_is_untrusted(gate: Admission) -> None:
    assert gate.decide(replace(ALICE, root="X" * 40)).reason == "untrusted"


def test_revocation_takes_precedence_over_the_limit(gate: Admission) -> None:
    gate.policy = replace(
        POLICY, revoked=frozenset((ALICE.thumbprint,)), limits={"IKEv2/OpenVPN": 0}, parts={}
    )
    assert gate.decide(ALICE).reason == "revoked"


def test_ikev2_and_openvpn_share_the_skus_limit(gate: Admission) -> None:
    gate.policy = replace(POLICY, limits={"IKEv2/OpenVPN": 2})
    assert gate.decide(peer(1, "IkeV2")).reason is None
    assert gate.decide(peer(2, "OpenVPN")).reason is None
    assert gate.decide(peer(3, "IkeV2")).reason == "limit"


def test_sstp_has_a_limit_of_its_own(gate: Admission) -> None:
    gate.policy = replace(POLICY, limits={"SSTP": 1})
    assert gate.decide(peer(1, "SSTP")).reason is None
    assert gate.decide(peer(2, "SSTP")).reason == "limit"


@pytest.mark.parametrize(("protocol", "places"), [("IkeV2", 2), ("OpenVPN", 1)])
def test_a_full_pool_is_another_reason_than_the_limit(
    gate: Admission, protocol: VpnProtocol, places: int
) -> None:
    reasons = [gate.decide(peer(i, protocol)).reason for i in range(places + 1)]
    assert reasons == [None] * places + ["no-address"]


def test_a_released_place_can_be_reserved_again(gate: Admission, sessions: Sessions) -> None:
    first = gate.decide(ALICE)
    assert first.reservation
    sessions.release(first.reservation)
    assert gate.decide(peer(2)).reason is None


def test_a_session_keeps_its_place_and_address(gate: Admission, sessions: Sessions) -> None:
    decision = gate.decide(ALICE)
    assert decision.reservation
    session = sessions.open(
        decision.reservation, handle="7", private_address=decision.reservation.address
    )
    assert sessions.count(("OpenVPN",)) == 1
    assert gate.decide(peer(2)).reason == "no-address"
    assert sessions.by_handle("OpenVPN", "7") is session
    assert sessions.close(session)
    assert not sessions.close(session)
    assert gate.decide(peer(2)).reason is None


def test_a_reservation_lapses(
    gate: Admission, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.policy.sessions.RESERVATION_LIFE", -1.0)
    gate.decide(ALICE)
    assert sessions.count(("OpenVPN",)) == 0


def test_a_session_outside_a_changed_pool_is_objected_to(
    gate: Admission, sessions: Sessions
) -> None:
    decision = gate.decide(ALICE)
    assert decision.reservation
    session = sessions.open(
        decision.reservation, handle="1", private_address=decision.reservation.address
    )
    assert gate.objection_to_session(session) is None
    gate.policy = replace(POLICY, parts={"OpenVPN": (IPv4Network("172.16.9.0/24"),)})
    objection = gate.objection_to_session(session)
    assert objection
    assert objection.reason == "no-address"


@pytest.mark.parametrize(
    ("protocols", "parts"),
    [
        (("OpenVPN",), {"OpenVPN": "172.16.0.0/24"}),
        (("OpenVPN", "IkeV2"), {"IkeV2": "172.16.0.0/25", "OpenVPN": "172.16.0.128/25"}),
        (
            ("IkeV2", "SSTP", "OpenVPN"),
            {"IkeV2": "172.16.0.0/26", "SSTP": "172.16.0.64/26", "OpenVPN": "172.16.0.128/26"},
        ),
    ],
)
def test_the_pool_is_divided_in_equal_parts(
    protocols: tuple[VpnProtocol, ...], parts: dict[str, str]
) -> None:
    divided = divide([IPv4Network("172.16.0.0/24")], protocols)
    assert {name: str(part[0]) for name, part in divided.items()} == parts


def test_addresses_leave_out_what_the_gateway_needs() -> None:
    parts = (IPv4Network("172.16.0.0/30"), IPv4Network("172.16.9.0/30"))
    assert list(map(str, usable(parts, reserved=1))) == ["172.16.0.2", "172.16.9.2"]
