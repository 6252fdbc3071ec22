"""A client computer between two dials."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.charon.proposals import Proposals
from lab.clients.computer import Computer, _check_method
from lab.clients.mobileconfig import AppleSettings
from lab.clients.profile import Profile
from lab.clients.user import NoCredentials, UserPassword
from lab.nodes.base import Completed
from lab.roles.gateway import GatewayRefusedError
from lab.topology.model.persona import EAP_TLS, client_system
from lab.topology.model.tls import TlsVersion
from lab.topology.planning.plan import ClientPlan, TlsLimits
from lab.vpn_client import Connection, NotDialledError, RefusedError

OWN, LEFT = b"nameserver 198.51.100.253\n", b"nameserver 10.1.1.53\n"


WAY = ("203.0.113.2", "via", "192.168.77.1", "dev", "eth0")
PROFILE = Profile(("IkeV2", "OpenVPN"), "gw.test", ("10.1.0.0/16",), b"", "remote gw.test 443\n")


class Machine:
    """Its resolv.conf and its host routes."""

    def __init__(self) -> None:
        self.resolv = OWN
        self.on_link = False
        """Whether the gateway is."""
        self.leased: tuple[str, ...] = ()
        self.routes: set[tuple[str, ...]] = set()

    async def run(self, argv: Sequence[str]) -> Completed:
        match argv:
            case ("getent", "ahosts", "--", "gw.test"):
                return Completed(0, f"{WAY[0]} STREAM gw.test\n{WAY[0]} DGRAM\n", "")
            case ("ip", "-json", "route", "get", address):
                via = {} if self.on_link else {"gateway": WAY[2]}
                row = {"dst": address, **via, "dev": WAY[4], "prefsrc": "192.168.77.10"}
                return Completed(0, json.dumps([row]), "")
            case ("ip", "-json", "-4", "address", *_):
                addresses = ("192.168.77.10", *self.leased)
                return Completed(
                    0, json.dumps([{"addr_info": [{"local": one}]} for one in addresses]), ""
                )
            case ("ip", "route", "add", *route) if tuple(route) in self.routes:
                return Completed(2, "", "RTNETLINK answers: File exists")
            case ("ip", "route", "add", *route):
                self.routes.add(tuple(route))
            case ("ip", "route", "del", *route):
                self.routes.remove(tuple(route))
            case _:
                raise AssertionError(argv)
        return Completed(0, "", "")

    async def read(self, _: str) -> bytes:
        return self.resolv

    async def write(self, _: str, data: bytes, __: int = 0o644) -> None:
        self.resolv = data

    async def call(self, _: object) -> list[object]:
        return []

    async def reboot(self) -> None:
        self.resolv = OWN
        self.routes.clear()


ROW = {
    "vpnConnectionId": "own",
    "protocol": "OpenVPN",
    "privateIpAddress": "172.16.0.1",
    "publicIpAddress": "192.168.77.10",
    "publicPort": "40000",
    "attemptTime": "2999-01-01T00:00:00.000+00:00",
}


class Gateway:
    name = "gw"

    def __init__(self, *rows: dict[str, str]) -> None:
        self.rows = rows

    async def profile(self, _: object) -> bytes:
        return b""

    async def sessions(self) -> list[dict[str, str]]:
        return list(self.rows)


class Untidy:
    """A program that brings the gateway's DNS server and never takes it away."""

    def __init__(self, machine: Machine, seen: list[bytes], *, refused: bool) -> None:
        self._machine, self._seen, self._refused = machine, seen, refused

    async def connect(self) -> Connection:
        self._seen.append(self._machine.resolv)
        self._machine.resolv = LEFT + self._machine.resolv
        if self._refused:
            raise RefusedError("IkeV2", "refused", "AUTH_FAILED", 0.1)
        return Connection("OpenVPN", "172.16.0.1", "tun0", 0.1, "OpenVPN (TUN)")

    async def disconnect(self) -> None:
        """Changes nothing."""

    async def ended(self, _: float) -> str:
        return "over"


Step = Callable[[Computer], Any]


def a_computer(machine: Machine, seen: list[bytes], monkeypatch: pytest.MonkeyPatch) -> Computer:
    """Its IKEv2 is refused, and its OpenVPN connects."""
    monkeypatch.setattr("lab.clients.computer.read_profile", lambda _: PROFILE)

    async def set_up(_: Computer, protocol: str, __: object) -> Untidy:
        assert machine.routes, "before the program dials"
        return Untidy(machine, seen, refused=protocol == "IkeV2")

    monkeypatch.setattr(Computer, "_set_up", set_up)
    plan = ClientPlan("pc", "pc", client_system("windows10"), "gw", "home", ("IkeV2", "OpenVPN"))
    return Computer(
        plan,
        node=machine,  # type: ignore[arg-type]
        access=machine,  # type: ignore[arg-type]
        address="192.168.77.10",
        gateway=Gateway(ROW),  # type: ignore[arg-type]
        credential=None,
    )


ENDS: dict[str, Step] = {
    "hang-up": lambda computer: computer.hang_up(),
    "ended": lambda computer: computer.ended(1.0),
    "restart": lambda computer: computer.restart(),
}


@pytest.mark.parametrize("end", ENDS)
async def test_a_tunnel_has_a_host_route_to_its_gateway(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    computer = a_computer(machine, [], monkeypatch)
    await computer.dial()
    assert machine.routes == {WAY}
    await ENDS[end](computer)
    assert not machine.routes


async def test_a_gateway_on_the_own_link_has_a_host_route_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine()
    machine.on_link = True
    computer = a_computer(machine, [], monkeypatch)
    await computer.dial("OpenVPN")
    assert machine.routes == {(WAY[0], "dev", "eth0")}
    await computer.hang_up()
    assert not machine.routes


async def test_a_refused_dial_leaves_no_host_route(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    with pytest.raises(RefusedError):
        await a_computer(machine, [], monkeypatch).dial("IkeV2")
    assert not machine.routes


async def test_a_host_route_of_the_users_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    machine.routes.add(WAY)
    computer = a_computer(machine, [], monkeypatch)
    await computer.dial()
    await computer.hang_up()
    assert machine.routes == {WAY}


async def test_a_tunnel_has_ended_when_its_address_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lab.clients.computer.LEAVE_LIMIT", 0.05)
    machine = Machine()
    computer = a_computer(machine, [], monkeypatch)
    await computer.dial()
    machine.leased = ("172.16.0.1",)  # a program that is about to dial again keeps it
    assert await computer.leased() == ["172.16.0.1"]
    with pytest.raises(TimeoutError):
        await computer.ended(1.0)
    machine.leased = ()
    assert await computer.ended(1.0) == "over"


def test_a_profile_is_without_routes_to_the_gateway_alone() -> None:
    routes = ("203.0.113.2/32", "203.0.113.0/30", "10.1.0.0/16")
    profile = replace(PROFILE, routes=routes)
    assert profile.without_hosts(["203.0.113.2"]).routes == routes[1:]
    assert profile.without_hosts([]).routes == routes


@pytest.mark.parametrize(
    "between",
    [*ENDS.values(), lambda computer: computer.dial("OpenVPN")],
    ids=[*ENDS, "dial"],
)
async def test_every_dial_begins_with_the_computer_s_own_dns_servers(
    between: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, seen = Machine(), list[bytes]()
    computer = a_computer(machine, seen, monkeypatch)
    await computer.dial()
    assert machine.resolv == LEFT + OWN
    await between(computer)
    await computer.dial()
    assert set(seen) == {OWN}
    await computer.hang_up()
    machine.resolv = b"nameserver 9.9.9.9\n"
    await computer.hang_up()
    assert machine.resolv == b"nameserver 9.9.9.9\n", "what its user wrote stays"


DELETED = GatewayRefusedError("gw", {"code": "ResourceNotFound", "message": "none"})


@pytest.mark.parametrize("error", [DELETED, FileNotFoundError("its API")], ids=["deleted", "off"])
async def test_a_gateway_that_is_gone_is_dialled_with_the_last_profile(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deleted(Gateway):
        name, there = "gw", False

        async def profile(self, _: object) -> bytes:
            if not self.there:
                raise error
            return b"the profile"

    dialled: list[object] = []

    async def set_up(_: Computer, __: str, profile: object) -> Untidy:
        dialled.append(profile)
        return Untidy(Machine(), [], refused=True)

    monkeypatch.setattr("lab.clients.computer.read_profile", {b"the profile": PROFILE}.get)
    monkeypatch.setattr(Computer, "_set_up", set_up)
    gateway, machine = Deleted(), Machine()
    plan = ClientPlan("pc", "pc", client_system("macos"), "gw", "home", ("IkeV2",))
    computer = Computer(
        plan,
        node=machine,  # type: ignore[arg-type]
        access=machine,  # type: ignore[arg-type]
        address="192.168.77.10",
        gateway=gateway,  # type: ignore[arg-type]
        credential=None,
    )
    with pytest.raises(RefusedError, match="no profile of it") as refused:
        await computer.dial()
    assert (refused.value.reason, dialled) == ("no-answer", [])
    for gateway.there in (True, False):
        with pytest.raises(RefusedError, match="AUTH_FAILED"):
            await computer.dial()
    assert dialled == [PROFILE] * 2


@pytest.mark.parametrize(
    ("other", "session"),
    [
        ({}, "own"),
        ({"publicIpAddress": "192.168.77.11"}, ""),  # a neighbour's, of the same address
        ({"privateIpAddress": "172.16.0.2"}, ""),
        ({"protocol": "SSTP"}, ""),
        ({"attemptTime": "2020-01-01T00:00:00.000+00:00"}, ""),  # of an earlier dial
        ({"publicPort": ""}, "own"),
    ],
    ids=str,
)
async def test_a_dials_session_is_the_one_that_both_ends_have(
    other: dict[str, str], session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    monkeypatch.setattr("lab.clients.computer.read_profile", lambda _: PROFILE)
    monkeypatch.setattr("lab.clients.computer.SESSION_LIMIT", 0.05)

    async def set_up(_: Computer, __: str, ___: object) -> Untidy:
        return Untidy(machine, [], refused=False)

    monkeypatch.setattr(Computer, "_set_up", set_up)
    computer = Computer(
        ClientPlan("pc", "pc", client_system("windows10"), "gw", "home", ("OpenVPN",)),
        node=machine,  # type: ignore[arg-type]
        access=machine,  # type: ignore[arg-type]
        address="192.168.77.10",
        gateway=Gateway(ROW | other),  # type: ignore[arg-type]
        credential=None,
    )
    await computer.dial()
    assert computer.session == session


async def test_the_refusal_is_that_of_the_last_protocol_that_could_be_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine()
    monkeypatch.setattr("lab.clients.computer.read_profile", lambda _: PROFILE)

    async def set_up(_: Computer, protocol: str, __: object) -> Untidy:
        if protocol == "OpenVPN":
            raise NotDialledError("OpenVPN", "no-protocol", "not offered", 0.0)
        return Untidy(machine, [], refused=True)

    monkeypatch.setattr(Computer, "_set_up", set_up)
    for protocols, reason in ((("IkeV2", "OpenVPN"), "refused"), (("OpenVPN",), "no-protocol")):
        computer = Computer(
            ClientPlan("pc", "pc", client_system("windows10"), "gw", "home", protocols),  # type: ignore[arg-type]
            node=machine,  # type: ignore[arg-type]
            access=machine,  # type: ignore[arg-type]
            address="192.168.77.10",
            gateway=Gateway(),  # type: ignore[arg-type]
            credential=None,
        )
        with pytest.raises(RefusedError) as refused:
            await computer.dial()
        assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("updates", "own", "sstp", "eap"),
    [
        (None, None, None, None),
        (None, "1.1", "1.1", "1.1"),
        ((), None, "1.0", "1.0"),
        ((), "1.1", "1.0", "1.0"),
        (("KB3140245", "KB2977292"), "1.1", "1.0", "1.1"),
    ],
)
def test_tls_ends_at_the_users_limit_or_the_systems(
    updates: tuple[str, ...] | None, own: TlsVersion | None, sstp: str | None, eap: str | None
) -> None:
    registry = None if updates is None else {EAP_TLS: 0xFC0}
    system = client_system("windows7", updates=updates, registry=registry)
    plan = ClientPlan("pc", "pc", system, "gw", "home", ("SSTP",), tls=TlsLimits(own))
    machine: Any = Machine()
    computer = Computer(
        plan, node=machine, access=machine, address="", gateway=machine, credential=None
    )
    limits = computer._tls()
    assert (limits and limits.maximum, computer._eap_limits().maximum) == (sstp, eap)


def test_a_mobileconfig_asks_for_what_the_user_has_or_the_gateway_refuses() -> None:
    with_certificate = AppleSettings("gw", "gw", b"", certificate=True, proposals=Proposals((), ()))
    _check_method(with_certificate, NoCredentials("alice"))
    with pytest.raises(NotDialledError, match="a certificate"):
        _check_method(with_certificate, UserPassword("alice", "secret"))
