"""Which profile a computer dials with: the gateway's of now, or the one that its user keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.clients.computer import Computer
from lab.clients.profile import Profile
from lab.roles.gateway import GatewayRefusedError
from lab.topology.model.persona import client_system
from lab.topology.planning.plan import ClientPlan
from lab.vpn_client import RefusedError
from tests.unit.lab.clients.test_computer import DELETED, PROFILE, Gateway, Machine, Untidy


class Changing(Gateway):
    """Its package has a number, which the operator makes larger."""

    def __init__(self, name: str = "gw") -> None:
        super().__init__()
        self.name, self.number, self.fails = name, 1, None

    async def profile(self, _: object) -> bytes:
        if self.fails:
            raise self.fails
        return f"{self.name} {self.number}".encode()


class Dialler:
    """A computer, and the profiles with which it has dialled."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, own: Changing, server: str = "") -> None:
        self.seen: list[str] = []

        async def set_up(_: Computer, __: str, profile: Profile) -> Untidy:
            self.seen.append(profile.openvpn)
            return Untidy(Machine(), [], refused=True)

        def read(data: bytes) -> Profile:
            return replace(PROFILE, openvpn=data.decode())

        monkeypatch.setattr("lab.clients.computer.read_profile", read)
        monkeypatch.setattr(
            "lab.clients.computer.with_server", lambda data, to: data + f" at {to}".encode()
        )
        monkeypatch.setattr(Computer, "_set_up", set_up)
        machine: Any = Machine()
        plan = ClientPlan("pc", "pc", client_system("macos"), "gw", "home", ("IkeV2",))
        self.computer = Computer(
            replace(plan, server=server),
            node=machine,
            access=machine,
            address="192.168.77.10",
            gateway=own,  # type: ignore[arg-type]
            credential=None,
        )

    async def dial(self, to: Changing | None = None) -> str:
        """The profile of this dial."""
        with pytest.raises(RefusedError, match="AUTH_FAILED"):
            await self.computer.dial(to=to)  # type: ignore[arg-type]
        return self.seen[-1]


async def test_each_dial_takes_a_new_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Changing()
    user = Dialler(monkeypatch, gateway)
    assert await user.dial() == "gw 1"
    gateway.number = 2
    assert await user.dial() == "gw 2"


async def test_a_profile_that_was_taken_is_kept_until_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Changing()
    user = Dialler(monkeypatch, gateway)
    await user.computer.take_profile()
    gateway.number = 2
    assert [await user.dial(), await user.dial()] == ["gw 1", "gw 1"]
    assert user.computer.package == b"gw 1"
    await user.computer.take_profile()
    gateway.number = 3
    assert await user.dial() == "gw 2"


async def test_it_is_kept_of_that_gateway_only(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, other = Changing(), Changing("other")
    user = Dialler(monkeypatch, gateway)
    await user.computer.take_profile()
    assert await user.dial(other) == "other 1"
    gateway.number = other.number = 2
    assert await user.dial(other) == "other 2"
    assert await user.dial() == "gw 1"


async def test_a_server_of_the_users_own_is_in_what_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Changing()
    user = Dialler(monkeypatch, gateway, "192.0.2.99")
    await user.computer.take_profile()
    gateway.number = 2
    assert await user.dial() == "gw 1 at 192.0.2.99"


@pytest.mark.parametrize("error", [DELETED, FileNotFoundError("its API")], ids=["deleted", "off"])
async def test_what_cannot_be_taken_keeps_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    gateway = Changing()
    user = Dialler(monkeypatch, gateway)
    gateway.fails = error
    with pytest.raises(type(error)):
        await user.computer.take_profile()
    gateway.fails, gateway.number = None, 2
    assert await user.dial() == "gw 2"
    gateway.number = 3
    assert await user.dial() == "gw 3"


async def test_any_other_refusal_of_a_profile_is_not_dialled_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A package that the gateway has not made, for a reason of its own, is not the last one."""
    gateway = Changing()
    user = Dialler(monkeypatch, gateway)
    await user.dial()
    gateway.fails = GatewayRefusedError("gw", {"code": "InternalError", "message": "full"})
    with pytest.raises(GatewayRefusedError, match="full"):
        await user.computer.dial()
    assert user.seen == ["gw 1"]
