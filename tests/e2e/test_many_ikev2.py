"""Many IKEv2 clients at once, and several with one certificate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.clients.computer import Computer
from tests.bench.ike_crowd import crowd
from tests.rigs.gateway_bench import PRIVATE, Bench, client, on_a_gateway
from tests.rigs.patience import PATIENCE

pytestmark = pytest.mark.alone


def test_a_crowd_comes_in_stays_and_half_of_it_is_revoked(tmp_path: Path) -> None:
    """`./p2slab bench ike-crowd` has 300."""

    async def test(bench: Bench) -> None:
        verdict = await crowd(bench, clients=60, at_once=25)
        assert verdict["held"], json.dumps(verdict, indent=1)

    on_a_gateway(tmp_path, test)


def test_one_certificate_on_two_computers_is_two_sessions(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        computers = [bench.computer(node, "alice") for node in ("pc1", "pc2")]
        addresses = {(await one.dial("IkeV2"))[0].address for one in computers}
        assert len(addresses) == 2
        assert {row["privateIpAddress"] for row in await bench.gateway.sessions()} == addresses
        for one in computers:
            assert await pings(one)
        await bench.gateway.put(bench.document("IkeV2", revoked=("alice",)))
        for one in computers:
            await one.ended(PATIENCE)
        assert await bench.gateway.sessions() == []

    on_a_gateway(tmp_path, test, client("alice"))


async def pings(computer: Computer) -> bool:
    done = await computer.node.run(["ping", "-c", "2", "-i", "0.2", "-W", str(PATIENCE), PRIVATE])
    return done.code == 0
