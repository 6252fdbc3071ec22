"""A client computer between two dials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.clients.computer import Computer
from lab.roles.gateway import GatewayRefusedError
from lab.topology.planning.plan import ClientPlan
from lab.vpn_client import Connection, RefusedError

OWN, LEFT = b"nameserver 198.51.100.253\n", b"nameserver 10.1.1.53\n"


class Machine:
    """Only its resolv.conf."""

    def __init__(self) -> None:
        self.resolv = OWN

    async def read(self, _: str) -> bytes:
        return self.resolv

    async def write(self, _: str, data: bytes, __: int = 0o644) -> None:
        self.resolv = data

    async def reboot(self) -> None:
        self.resolv = OWN


class Gateway:
    async def profile(self, _: object) -> bytes:
        return b""


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


@pytest.mark.parametrize(
    "between",
    [
        lambda computer: computer.hang_up(),
        lambda computer: computer.ended(1.0),
        lambda computer: computer.restart(),
        lambda computer: computer.dial("OpenVPN"),
    ],
    ids=["hang-up", "ended", "restart", "dial"],
)
async def test_every_dial_begins_with_the_computer_s_own_dns_servers(
    between: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, seen = Machine(), list[bytes]()
    monkeypatch.setattr("lab.clients.computer.read_profile", lambda _: None)

    async def set_up(_: Computer, protocol: str, __: object) -> Untidy:
        return Untidy(machine, seen, refused=protocol == "IkeV2")

    monkeypatch.setattr(Computer, "_set_up", set_up)
    plan = ClientPlan("pc", "pc", "windows10", "gw", "home", ("IkeV2", "OpenVPN"))
    computer = Computer(plan, node=machine, access=machine, gateway=Gateway(), credential=None)  # type: ignore[arg-type]
    await computer.dial()
    assert machine.resolv == LEFT + OWN
    await between(computer)
    await computer.dial()
    assert set(seen) == {OWN}
    await computer.hang_up()
    machine.resolv = b"nameserver 9.9.9.9\n"
    await computer.hang_up()
    assert machine.resolv == b"nameserver 9.9.9.9\n", "what its user wrote stays"


async def test_a_deleted_gateway_is_dialled_with_the_last_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Deleted(Gateway):
        name, there = "gw", False

        async def profile(self, _: object) -> bytes:
            if not self.there:
                raise GatewayRefusedError("gw", {"code": "ResourceNotFound", "message": "none"})
            return b"the profile"

    dialled: list[object] = []

    async def set_up(_: Computer, __: str, profile: object) -> Untidy:
        dialled.append(profile)
        return Untidy(Machine(), [], refused=True)

    monkeypatch.setattr("lab.clients.computer.read_profile", lambda data: data)
    monkeypatch.setattr(Computer, "_set_up", set_up)
    gateway, machine = Deleted(), Machine()
    plan = ClientPlan("pc", "pc", "macos", "gw", "home", ("IkeV2",))
    computer = Computer(plan, node=machine, access=machine, gateway=gateway, credential=None)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="no profile of it") as refused:
        await computer.dial()
    assert (refused.value.reason, dialled) == ("no-answer", [])
    for gateway.there in (True, False):
        with pytest.raises(RefusedError, match="AUTH_FAILED"):
            await computer.dial()
    assert dialled == [b"the profile"] * 2
