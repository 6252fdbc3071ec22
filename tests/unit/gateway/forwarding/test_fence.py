"""The session table, its fence and the reconciler, without a kernel."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from gateway import reconcile
from gateway.arm.placement import Placement
from gateway.common.errors import FenceError, LapsedError
from gateway.engine import EngineReport
from gateway.forwarding.reach import ROWS, Attachment, Reach, rules
from gateway.policy import sessions
from gateway.policy.admission import Admission, Policy
from gateway.policy.diagnostics import DiagnosticLog
from gateway.policy.refusals import BoundedLog
from gateway.policy.sessions import Peer, Session, Sessions
from gateway.reconcile import Gateway
from gateway.sstp.eap import CertificateAuthenticator
from gateway.sstp.gate import Gate
from gateway.sstp.worker.messages import Admitted, Asked, Denied, EapGiven, End, Opened
from tests.rigs.fences import RecordingFence
from tests.unit.gateway.context import FakeEapTls, engine_context, shown

POOL = IPv4Network("172.16.9.0/29")
ADDRESS = IPv4Address("172.16.9.2")
GIVEN = EapGiven(packet=b"", identity="alice")
ALICE = Peer("SSTP", "alice", ("A",), "ROOT")


@pytest.fixture
def fence() -> RecordingFence:
    return RecordingFence()


@pytest.fixture
def table(fence: RecordingFence) -> Sessions:
    return Sessions(fence)


def test_an_address_is_in_the_fence_from_reservation_to_the_end(
    table: Sessions, fence: RecordingFence
) -> None:
    place = table.reserve(ALICE, ADDRESS)
    assert fence.open == {("SSTP", str(ADDRESS)): sessions.RESERVATION_LIFE}
    session = table.open(place, handle="1", private_address=ADDRESS)
    assert fence.open == {("SSTP", str(ADDRESS)): None}
    table.bar(session)
    assert (fence.open, list(table)) == ({}, [session])
    assert table.close(session)
    assert not table.close(session)
    assert fence.told == [f"admit {ADDRESS}"] * 2 + [f"evict {ADDRESS}"] * 2


def test_a_place_given_back_is_closed_once(table: Sessions, fence: RecordingFence) -> None:
    place = table.reserve(ALICE, ADDRESS)
    table.release(place)
    table.release(place)
    assert fence.told == [f"admit {ADDRESS}", f"evict {ADDRESS}"]


def test_a_lapsed_place_does_not_become_a_session(
    table: Sessions, fence: RecordingFence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "RESERVATION_LIFE", -1.0)
    place = table.reserve(ALICE, ADDRESS)
    with pytest.raises(LapsedError):
        table.open(place, handle="1", private_address=ADDRESS)
    assert list(table) == []
    assert fence.open == {("SSTP", str(ADDRESS)): -1.0}, "for a time only: the kernel's to end"


def test_without_a_writable_fence_nobody_is_admitted(
    table: Sessions, fence: RecordingFence
) -> None:
    gate = Admission(table)
    gate.policy = Policy(roots=frozenset(("ROOT",)), limits={"SSTP": 9}, parts={"SSTP": (POOL,)})
    place = table.reserve(ALICE, ADDRESS)
    fence.broken = True
    decision = gate.decide(ALICE)
    assert (decision.reason, decision.reservation) == ("fault", None)
    assert decision.message.startswith("the gateway's own fault: nftables")
    with pytest.raises(FenceError):
        table.open(place, handle="1", private_address=ADDRESS)
    assert (list(table), table.count(("SSTP",)), fence.open) == ([], 0, {})


async def test_the_fence_opens_before_and_closes_before_any_announcement(
    fence: RecordingFence, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, log = Sessions(fence), DiagnosticLog()
    admission = Admission(table)
    admission.policy = Policy(
        roots=frozenset(("ROOT",)), limits={"SSTP": 9}, parts={"SSTP": (POOL,)}
    )
    around = engine_context(table, admission=admission, log=log)
    one = CertificateAuthenticator(cast("Any", FakeEapTls(shown())))
    gate = Gate(around, lambda: one, lambda message: fence.told.append(type(message).__name__))
    monkeypatch.setattr(log, "add", lambda event, *_, **__: fence.told.append(event))
    await gate.asked(Asked(call=1, address="192.0.2.2", attempt=GIVEN))
    gate.opened(Opened(call=1, binding=""))
    gate.closed(1, "the client went away")
    admit, evict = f"admit {ADDRESS}", f"evict {ADDRESS}"
    assert fence.told == [admit, "Admitted", admit, "connected", evict, "disconnected"]


async def test_sstp_ends_a_call_that_the_fence_does_not_admit(
    fence: RecordingFence,
) -> None:
    table = Sessions(fence)
    told: list[Any] = []
    admission = Admission(table)
    admission.policy = Policy(
        roots=frozenset(("ROOT",)), limits={"SSTP": 9}, parts={"SSTP": (POOL,)}
    )
    around = engine_context(table, admission=admission)
    one = CertificateAuthenticator(cast("Any", FakeEapTls(shown(), shown())))
    gate = Gate(around, lambda: one, told.append)
    await gate.asked(Asked(call=1, address="192.0.2.2", attempt=GIVEN))
    fence.broken = True
    gate.opened(Opened(call=1, binding=""))
    await gate.asked(Asked(call=2, address="192.0.2.2", attempt=GIVEN))
    assert [type(message) for message in told] == [Admitted, End, Denied]
    assert list(table) == []


# ------------------------------------------------------------------------------- the reconciler


class Engine:
    """An engine that records calls, in one list with the fence's."""

    def __init__(self, told: list[str]) -> None:
        self._told = told

    async def configure(self, _settings: Any) -> None:
        self._told.append("configure")

    async def stop(self) -> None:
        self._told.append("stop")

    async def refresh(self) -> None:
        """Nothing."""

    async def disconnect(self, session: Session, why: str) -> None:
        self._told.append(f"disconnect {session.private_address}: {why}")

    def report(self) -> EngineReport:
        return EngineReport("SSTP", "running", 1, 0, "")


@pytest.fixture
def gateway(tmp_path: Path, fence: RecordingFence, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    placement = Placement.model_validate(
        {
            "name": "gw",
            "gatewayId": "1",
            "fqdn": "gw",
            "publicIPAddress": "203.0.113.2",
            "privateIPAddress": "10.1.255.4",
            "virtualNetwork": {"name": "v", "addressPrefixes": ["10.1.0.0/16"]},
            "interfaces": {"public": "wan", "private": "lan"},
            "serverCertificate": {"certificate": "a", "privateKey": "b", "root": "c"},
        }
    )
    monkeypatch.setattr(reconcile, "_make", lambda *_: Engine(fence.told))
    gateway = Gateway(placement, tmp_path, BoundedLog(), fence)
    monkeypatch.setattr(gateway._eap_tls, "configure", AsyncMock())
    return gateway


async def test_the_fence_stands_before_an_engine_starts_and_knows_the_document(
    gateway: Gateway, fence: RecordingFence, document: Any
) -> None:
    custom = {"customRoutes": {"addressPrefixes": ["10.7.0.0/16"]}}
    await gateway.put(document(custom, vpnClientProtocols=["SSTP"]))
    assert fence.told.index("enclose") < fence.told.index("configure")
    network = (IPv4Network("10.1.0.0/16"),)
    pool = (IPv4Network("172.16.201.0/24"),)
    assert fence.reach == Reach(pool, (*network, IPv4Network("10.7.0.0/16")), network, ())


async def test_without_a_fence_no_engine_starts_and_get_says_failed(
    gateway: Gateway, fence: RecordingFence, document: Any
) -> None:
    fence.broken = True
    with pytest.raises(FenceError):
        await gateway.put(document(vpnClientProtocols=["SSTP"]))
    assert gateway.engines() == []
    assert gateway.document()["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize("broken", [False, True])
async def test_a_disallowed_session_is_fenced_off_before_the_engine_ends_it(
    gateway: Gateway, fence: RecordingFence, document: Any, pki: Any, broken: bool
) -> None:
    await gateway.put(document(vpnClientProtocols=["SSTP"]))
    address = IPv4Address("172.16.201.2")
    session = gateway.sessions.open(
        gateway.sessions.reserve(ALICE, address), handle="1", private_address=address
    )
    fence.told.clear()
    fence.broken = broken
    await asyncio.gather(  # her root is not uploaded any more
        gateway.put(document(vpnClientProtocols=["SSTP"])), return_exceptions=True
    )
    ended = next(what for what in fence.told if what.startswith("disconnect"))
    assert fence.told.index(f"evict {address}") < fence.told.index(ended)
    fence.told.clear()
    await gateway.disconnect([session.id])
    assert fence.told == [
        f"evict {address}",
        f"disconnect {address}: disconnected by the operator",
    ]


# ------------------------------------------------------------------------------- who reaches what

ATTACHMENT = Attachment(
    IPv4Address("203.0.113.2"), IPv4Address("10.1.255.4"), "wan", "lan", userspace=True
)
REACH = Reach(
    pool=(POOL,),
    routes=(IPv4Network("10.1.0.0/16"), IPv4Network("192.168.50.0/24")),
    network=(IPv4Network("10.1.0.0/16"),),
    sites=(IPv4Network("192.168.50.0/24"), IPv4Network("192.168.60.0/24")),
)


def chain(text: str, name: str) -> list[str]:
    """The rules of one chain."""
    body = text.split(f"chain {name} {{\n", 1)[1].split("\n  }", 1)[0]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_the_table_of_rows_is_all_that_is_forwarded() -> None:
    assert {(row.origin, row.target, row.within) for row in ROWS} == {
        ("clients", "vnet", "routes"),
        ("clients", "sites", "routes"),
        ("vnet", "clients", None),
        ("vnet", "sites", None),
        ("sites", "vnet", "network"),
        ("sites", "clients", None),
    }
    text = rules(ATTACHMENT, REACH)
    sites = "{ 192.168.50.0/24, 192.168.60.0/24 }"
    routes = "{ 10.1.0.0/16, 192.168.50.0/24 }"
    assert chain(text, "of_clients") == [
        f'oifname "lan" ip daddr {routes} accept',
        f'oifname "ipsec0" ip daddr {sites} ip daddr {routes} accept',
    ]
    assert chain(text, "of_sites")[0] == 'oifname "lan" ip daddr { 10.1.0.0/16 } accept'


def test_without_a_document_nothing_is_forwarded_to_or_from_a_prefix() -> None:
    text = rules(ATTACHMENT, Reach())
    assert chain(text, "of_clients") == []
    assert not any("/" in rule for rule in chain(text, "of_vnet"))


def test_a_row_to_prefixes_that_overlap_makes_one_set() -> None:
    twice = replace(REACH, sites=(*REACH.sites, IPv4Network("192.168.50.128/25")))
    assert rules(ATTACHMENT, twice) == rules(ATTACHMENT, REACH)
