"""A client whose gateway has gone away does not come back by itself (the seed)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lab.waiting import wait_until
from tests.rigs.gateway_bench import Bench, client, on_a_gateway

PATIENCE = 10.0


def test_an_openvpn_that_loses_its_gateway_ends(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("OpenVPN"))
        alice = bench.computer("pc1", "alice")
        await alice.dial("OpenVPN")
        assert await alice.leased()
        killed = (await bench.engine("OpenVPN"))["pid"]
        os.kill(killed, signal.SIGKILL)  # no farewell: the client's connection is reset

        async def serves_again() -> bool:
            engine = await bench.engine("OpenVPN")
            return engine["state"] == "running" and engine["pid"] not in (None, killed)

        await wait_until("another openvpn", PATIENCE, serves_again)
        await alice.ended(PATIENCE)
        assert await alice.connection() is None
        assert (await alice.node.run(["pgrep", "-x", "openvpn"])).stdout == ""
        assert await bench.gateway.sessions() == []
        await alice.dial("OpenVPN")

    on_a_gateway(tmp_path, test, client("alice"))
