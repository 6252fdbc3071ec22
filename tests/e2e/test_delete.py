"""A gateway is deleted with its clients connected, and created anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.roles.gateway import GatewayRefusedError
from tests.rigs.crowd import profile_of
from tests.rigs.gateway_bench import Bench, client, on_a_gateway
from tests.rigs.patience import PATIENCE


def test_nothing_is_left_of_a_deleted_gateway(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        document = bench.document("IkeV2", "OpenVPN")
        await bench.gateway.put(document)
        computers = {
            "IkeV2": bench.computer("pc1", "alice"),
            "OpenVPN": bench.computer("pc2", "bob"),
        }
        for protocol, computer in computers.items():
            await computer.dial(protocol)  # type: ignore[arg-type]
        assert len(await bench.gateway.sessions()) == 2
        before = await profile_of(bench)

        await bench.gateway.delete_gateway()
        for computer in computers.values():
            await computer.ended(PATIENCE)
        assert await bench.gateway.sessions() == []
        assert (await bench.gateway.runtime())["engines"] == []
        listening = (await bench.nodes["gw"].run(["ss", "-Hlntu"])).stdout
        assert listening == ""
        with pytest.raises(GatewayRefusedError, match="no document"):
            await profile_of(bench)

        await bench.gateway.put(document)
        assert (await profile_of(bench)).openvpn != before.openvpn, "the static key is a new one"
        for protocol, computer in computers.items():
            connection, _ = await computer.dial(protocol)  # type: ignore[arg-type]
            assert connection.protocol == protocol
        assert len(await bench.gateway.sessions()) == 2

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))
