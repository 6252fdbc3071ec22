"""Why a client has no tunnel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lab.explain.no_tunnel import no_tunnel
from lab.nodes.base import Completed
from lab.world import Deed
from tests.unit.lab.checks.fakes import FakeGateway, connection


async def test_whose_gateway_is_deleted() -> None:
    class Node:
        async def run(self, _: object) -> Completed:
            return Completed(0, "default via 192.168.1.1 dev eth0\n", "")

    gateway: Any = FakeGateway()
    gateway.name = "gw"
    await gateway.delete_gateway()
    dialled = SimpleNamespace(connection=connection(), at=1.0)
    client: Any = SimpleNamespace(name="alice", gateway=gateway, last_dial=dialled, node=Node())
    deed = Deed(2.0, "delete", "gw", "delete gw", "deleted")
    other = Deed(3.0, "delete", "gw2", "delete gw2", "deleted")
    world: Any = SimpleNamespace(past=[deed, other], gateways={"gw": gateway})
    found = await no_tunnel(client, world)
    assert (found.layer, found.cause) == (
        "gateway-down",
        "alice is not connected: the gateway gw is deleted",
    )
    assert found.at == "1970-01-01T00:00:02.000+00:00"
    assert [proof.endswith("delete gw: deleted") for proof in found.proof] == [True]
