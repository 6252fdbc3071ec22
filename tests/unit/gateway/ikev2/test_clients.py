"""IKEv2 sessions: opened and closed by charon's accounting, its events and its death."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast

import pytest

from gateway.charon import vici_messages as vici
from gateway.ikev2.clients import Clients
from gateway.ikev2.radius_wire import Accounting
from gateway.ikev2.refusals import Refusals
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.sessions import Peer, Reservation, Sessions
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import engine_context

ALICE = Peer("IkeV2", "alice", ("A",), "ROOT", "192.0.2.2")
POLICY = Policy(
    roots=frozenset(("ROOT",)),
    limits={"IKEv2/OpenVPN": 9},
    parts={"IkeV2": (IPv4Network("172.16.0.0/24"),)},
)


class Link:
    """A vici link that records the IKE_SAs to be terminated."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def apart(self, _command: str, message: dict[str, Any]) -> list[Any]:
        self.ended.append(message["ike-id"])
        return []


class Bench:
    def __init__(self) -> None:
        self.sessions = Sessions(RecordingFence())
        self.admission = Admission(self.sessions)
        self.admission.policy = POLICY
        self.log = DiagnosticLog()
        self.link = Link()
        around = engine_context(self.sessions, admission=self.admission, log=self.log)
        self.clients = Clients(around, cast("Any", self.link))

    def admit(self, peer: Peer = ALICE) -> Reservation:
        reservation = self.admission.decide(peer).reservation
        assert reservation
        return reservation

    def start(self, reservation: Reservation | None, number: int = 1, address: str = "") -> None:
        own = reservation.address if reservation else IPv4Address("172.16.0.9")
        at = IPv4Address(address) if address else own
        told = Accounting(b"", True, f"acct-{number}", b"t", str(number), at)
        self.clients.account(told, reservation)

    def stop(self, number: int = 1) -> None:
        self.clients.account(Accounting(b"", False, f"acct-{number}", b"", "", None), None)

    def events(self) -> list[tuple[str, str]]:
        return [(row["event"], row["message"]) for row in self.log.documents()]


async def test_a_session_begins_with_the_start_that_has_our_class_and_ends_with_its_stop() -> None:
    bench = Bench()
    bench.start(bench.admit(replace(ALICE, radius_server="10.1.1.9")))
    (session,) = bench.sessions
    assert (session.handle, session.private_address) == ("1", IPv4Address("172.16.0.1"))
    bench.start(None)  # charon sends again what was not answered in time
    bench.stop()
    bench.stop()
    assert bench.events() == [
        ("connected", "assigned 172.16.0.1; RADIUS server 10.1.1.9"),
        ("disconnected", "the client went away"),
    ]
    assert {record["radiusServer"] for record in bench.log.documents()} == {"10.1.1.9"}
    assert bench.link.ended == []


async def test_without_our_class_there_is_no_session_and_the_ike_sa_is_ended() -> None:
    bench = Bench()
    bench.start(None)
    await asyncio.sleep(0)
    assert list(bench.sessions) == []
    assert bench.link.ended == ["1"]
    assert bench.log.documents()[0]["event"] == "refused"


async def test_a_lapsed_reservation_gives_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.policy.sessions.RESERVATION_LIFE", -1.0)
    bench = Bench()
    bench.start(bench.admit())
    await asyncio.sleep(0)
    assert list(bench.sessions) == []
    assert bench.link.ended == ["1"]


async def test_an_address_other_than_the_reserved_one_gives_no_session() -> None:
    bench = Bench()
    bench.start(bench.admit(), address="172.16.0.77")
    await asyncio.sleep(0)
    assert list(bench.sessions) == []
    assert bench.sessions.count(("IkeV2",)) == 0
    assert bench.link.ended == ["1"]
    assert bench.log.documents()[0]["reason"] == "no-address"


async def test_two_computers_with_one_certificate_are_two_sessions() -> None:
    bench = Bench()
    bench.start(bench.admit(), 1)
    bench.start(bench.admit(), 2)
    assert {str(s.private_address) for s in bench.sessions} == {"172.16.0.1", "172.16.0.2"}
    bench.stop(1)
    assert [s.handle for s in bench.sessions] == ["2"]


async def test_a_client_revoked_while_connecting_is_ended_at_once() -> None:
    bench = Bench()
    admitted = bench.admit()
    bench.admission.policy = Policy(
        roots=POLICY.roots,
        revoked=frozenset(("A",)),
        limits={"IKEv2/OpenVPN": 9},
        parts=POLICY.parts,
    )
    bench.start(admitted)
    await asyncio.sleep(0)
    assert bench.link.ended == ["1"]
    bench.stop()
    assert bench.events()[-1] == ("disconnected", "the certificate A is revoked")


async def test_a_rekeyed_ike_sa_keeps_its_session() -> None:
    bench = Bench()
    bench.start(bench.admit(), 1)
    bench.clients.on_event(vici.IkeRekeyed("1", "5"))
    (session,) = bench.sessions
    assert session.handle == "5"
    gone = vici.IkeSa("1", "", "", "", connection="p2s")
    bench.clients.on_event(vici.UpDown(up=False, sas=(gone,)))
    assert list(bench.sessions) == [session]
    bench.clients.on_event(
        vici.UpDown(up=False, sas=(vici.IkeSa("5", "", "", "", connection="p2s"),))
    )
    assert list(bench.sessions) == []


async def test_all_sessions_end_with_charon() -> None:
    bench = Bench()
    bench.start(bench.admit(), 1)
    bench.start(bench.admit(), 2)
    bench.clients.all_gone("charon died")
    assert list(bench.sessions) == []
    assert bench.events()[-2:] == [("disconnected", "charon died")] * 2


# ------------------------------------------------------------------- refusals of charon's own


def refusals(*lines: str, recorded: bool = False, peers: frozenset[str] = frozenset()) -> Any:
    log = DiagnosticLog()
    reader = Refusals(log, lambda: peers, lambda _: recorded, lambda _: None)
    for line in ("192.0.2.2 is initiating an IKE_SA", *lines):
        reader.feed(vici.LogLine("IKE", "7", line))
    return [
        (row["reason"], row["message"], row["publicIpAddress"], row["user"])
        for row in log.documents()
    ]


NO = "generating IKE_SA_INIT response 0 [ N(NO_PROP) ]"
LAST = "generating IKE_AUTH response 1 [ IDr CERT AUTH N(AUTH_FAILED) ]"


def test_a_refusal_by_charon_has_its_message_and_no_name() -> None:
    said = "received proposals unacceptable"
    assert refusals(said, NO) == [("no-proposal", said, "192.0.2.2", "")]
    assert refusals(LAST, LAST) == [
        ("refused", "charon answered with AUTH_FAILED", "192.0.2.2", "")
    ]
    assert (
        refusals("generating IKE_AUTH response 3 [ AUTH N(INT_ADDR_FAIL) ]")[0][0] == "no-address"
    )


OFFERED = "IKE:AES_CBC_256/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_1024"
TAKEN = "IKE:AES_CBC_256/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/MODP_2048"


def test_proposals_of_both_sides_are_said_when_none_is_common() -> None:
    ike = (f"received proposals: {OFFERED}", f"configured proposals: {TAKEN}")
    [(reason, message, _, _)] = refusals(*ike, "received proposals unacceptable", NO)
    assert reason == "no-proposal"
    assert message == (
        f"no common IKE proposal: the gateway takes {TAKEN}; the client offered {OFFERED}"
    )
    esp = [line.replace("IKE:", "ESP:") for line in ike]
    own = "authentication of 'gw' (myself) with EAP"
    last = "generating IKE_AUTH response 8 [ AUTH CPRP(ADDR) N(NO_PROP) ]"
    [(reason, message, _, _)] = refusals(own, *esp, last)
    assert reason == "no-proposal"
    assert message.startswith("no common ESP proposal: the gateway takes ESP:")


def test_who_was_admitted_and_has_no_esp_proposal_is_named() -> None:
    bench = Bench()
    bench.start(bench.admit(), 7)
    (session,) = bench.sessions
    log = DiagnosticLog()
    reader = Refusals(log, frozenset, lambda _: False, {"7": session}.get)
    last = "generating IKE_AUTH response 8 [ AUTH CPRP(ADDR) N(NO_PROP) ]"
    for line in ("192.0.2.2 is initiating an IKE_SA", last):
        reader.feed(vici.LogLine("IKE", "7", line))
    (record,) = log.documents()
    assert record["thumbprint"] == session.peer.thumbprint
    assert record["user"] == session.peer.user
    assert session.ending == record["message"]
    bench.stop()


@pytest.mark.parametrize(
    "line",
    [
        "looking for peer configs matching a[b]...192.0.2.2[CN=N(AUTH_FAILED)]",
        "received cert CN=generating IKE_AUTH response 1 [ N(AUTH_FAILED) ]",
        "generating IKE_AUTH response 1 [ N(AUTH_FAILED) ] and more",
        "generating INFORMATIONAL response 1 [ N(AUTH_FAILED) ]",
        "CN=9.9.9.9 is initiating an IKE_SA",
        "9.9.9.9 is initiating an IKE_SA of CN=x",
    ],
)
def test_a_clients_identity_cannot_forge_a_record(line: str) -> None:
    assert refusals(line) == []


def test_a_refusal_by_charon_has_the_port_of_its_own_ike_sas_newest_packet() -> None:
    log = DiagnosticLog()
    reader = Refusals(log, frozenset, lambda _: False, lambda _: None)
    received = "received packet: from 192.0.2.2[{}] to 203.0.113.10[500] (300 bytes)"
    for number, line in (
        ("7", received.format(500)),
        ("7", "192.0.2.2 is initiating an IKE_SA"),
        ("8", received.format(12008)),
        ("8", "192.0.2.2 is initiating an IKE_SA"),
        ("7", received.format(12007)),
        ("8", NO),
        ("7", LAST),
    ):
        reader.feed(vici.LogLine("NET", number, line))
    rows = [(row["publicPort"], row["attemptTime"] <= row["time"]) for row in log.documents()]
    assert rows == [("12008", True), ("12007", True)]


def test_logged_refusals_and_those_of_sites_devices_are_not_logged_again() -> None:
    assert refusals(LAST, recorded=True) == []
    assert refusals(LAST, peers=frozenset(("192.0.2.2",))) == []
