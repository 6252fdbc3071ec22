"""A computer that dials several gateways."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.clients.computer import Computer
from lab.topology.model.persona import client_system
from lab.topology.planning.plan import ClientPlan
from lab.vpn_client import RefusedError
from tests.unit.lab.clients.test_computer import DELETED, PROFILE, Gateway, Machine, Untidy


async def test_the_profile_of_one_gateway_is_not_the_other_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Named(Gateway):
        def __init__(self, name: str, *, there: bool = True) -> None:
            super().__init__()
            self.name, self.there = name, there

        async def profile(self, _: object) -> bytes:
            if not self.there:
                raise DELETED
            return self.name.encode()

    dialled: list[object] = []

    async def set_up(_: Computer, __: str, profile: Any) -> Untidy:
        dialled.append(profile.openvpn)
        return Untidy(Machine(), [], refused=True)

    def read(data: bytes) -> Any:
        return replace(PROFILE, openvpn=data.decode())

    monkeypatch.setattr("lab.clients.computer.read_profile", read)
    monkeypatch.setattr(Computer, "_set_up", set_up)
    own, other, gone = (Named("gw"), Named("other"), Named("gone", there=False))
    machine: Any = Machine()
    plan = ClientPlan("pc", "pc", client_system("macos"), "gw", "home", ("IkeV2",))
    computer = Computer(
        plan,
        node=machine,
        access=machine,
        address="192.168.77.10",
        gateway=own,  # type: ignore[arg-type]
        credential=None,
    )
    for to in (None, other, None):
        with pytest.raises(RefusedError, match="AUTH_FAILED"):
            await computer.dial(to=to)  # type: ignore[arg-type]
        assert computer.gateway is (to or own)
    with pytest.raises(RefusedError, match="there is no gateway gone, and no profile of it"):
        await computer.dial(to=gone)  # type: ignore[arg-type]
    assert dialled == ["gw", "other", "gw"]
