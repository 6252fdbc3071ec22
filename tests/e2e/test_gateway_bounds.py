"""The gateway limits what strangers can cost it, and honest clients connect meanwhile."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.charon import config
from gateway.charon.vici_link import ViciLink
from gateway.common.errors import EngineError
from gateway.common.vocabulary import VpnProtocol
from gateway.daemons import heartbeat
from gateway.sstp.worker.worker import SHARE
from lab.nodes.base import Node
from lab.waiting import wait_until
from tests.rigs.gateway_bench import FQDN, PUBLIC, Bench, client, on_a_gateway
from tests.rigs.ike_flood import Flood, addresses
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import connected, memory, off

PEM = Encoding.PEM
AT_ONCE = 16
"""Messages of the flood's that are on their way before the first is counted."""


async def half_open(bench: Bench) -> int:
    """charon's count as of its last heartbeat."""
    counters = (await bench.engine("IkeV2"))["counters"]
    return int(counters["ike-sas: half-open"])


def test_forged_ike_sa_inits_cost_a_cookie_each_and_nothing_more(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        pid = (await bench.engine("IkeV2"))["pid"]
        before = memory(pid)
        flood = await bench.nodes["net"].call(lambda: Flood(PUBLIC))
        sources = addresses("198.51.100.0/24")
        flooding = asyncio.create_task(off(lambda: flood.run(3000, sources)))
        await wait_until("the first of them", PATIENCE, lambda: flood.cookies > 0)
        await bench.computer("pc1", "alice").dial("IkeV2")
        await flooding
        flood.close()
        most = config.COOKIE_THRESHOLD + AT_ONCE
        assert flood.answers <= most
        assert flood.answers + flood.cookies > 2900
        assert await wait_until("charon's count", PATIENCE, lambda: half_open(bench)) <= most
        assert memory(pid) - before < 6_000_000
        assert (await bench.engine("IkeV2"))["pid"] == pid

    on_a_gateway(tmp_path, test, client("alice"))


def test_one_source_is_asked_for_a_cookie_no_sooner_than_all_are(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        flood = await bench.nodes["pc3"].call(lambda: Flood(PUBLIC))
        await off(lambda: flood.run(config.COOKIE_THRESHOLD // 2, addresses("192.0.2.10/32")))
        flood.close()
        assert (flood.answers, flood.cookies) == (config.COOKIE_THRESHOLD // 2, 0)

    on_a_gateway(tmp_path, test, client("alice"))


def test_one_source_has_a_share_of_half_open_ike_sas(tmp_path: Path) -> None:
    """It shows cookies; those who do not share its address are not kept out."""

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        pid = (await bench.engine("IkeV2"))["pid"]
        flood = await bench.nodes["pc3"].call(lambda: Flood(PUBLIC))
        own = addresses("192.0.2.10/32")
        await off(lambda: flood.run(config.BLOCK_THRESHOLD - AT_ONCE, own, honest=True))
        assert flood.answers == config.BLOCK_THRESHOLD - AT_ONCE
        await off(lambda: flood.run(4 * AT_ONCE, own, honest=True))
        flood.close()
        assert flood.answers <= config.BLOCK_THRESHOLD + AT_ONCE
        await bench.computer("pc1", "alice").dial("IkeV2")
        assert (await bench.engine("IkeV2"))["pid"] == pid

    on_a_gateway(tmp_path, test, client("alice"))


def test_users_whose_radius_server_is_silent_do_not_stop_charon(tmp_path: Path) -> None:
    """Each holds one of charon's threads for half a minute; orders and heartbeat have their own."""
    many, enough = 120, config.THREADS

    async def test(bench: Bench) -> None:
        document = bench.document(
            "IkeV2",
            vpnAuthenticationTypes=["Radius"],
            radiusServerAddress="10.1.1.9",
            radiusServerSecret="nobody is there",
        )
        await bench.gateway.put(document)
        pid = (await bench.engine("IkeV2"))["pid"]
        pc, root = bench.nodes["pc1"], "/run/root.pem"
        await pc.write(root, bench.credentials["public-root"].certificate.public_bytes(PEM))
        load = ("tests.bench.radius_load", "ike", str(many), FQDN, root, str(many))
        process = await pc.spawn([sys.executable, "-m", *load], log="load")

        async def all_wait() -> bool:
            return await half_open(bench) >= enough

        await wait_until(f"{enough} wait for RADIUS", 60.0, all_wait)
        end = time.monotonic() + 2 * heartbeat.LIMIT
        await wait_until("some heartbeats", PATIENCE, lambda: time.monotonic() > end)
        engine = await bench.engine("IkeV2")
        assert (engine["pid"], engine["death"]) == (pid, "")
        await process.stop()

    on_a_gateway(tmp_path, test)


def test_charon_terminates_two_hundred_at_once(tmp_path: Path) -> None:
    """Of 150 that were to be put out 6 stayed in: vici's listen queue was full."""

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2"))
        node = bench.nodes["gw"]
        link = ViciLink(node.run_directory / "gateway/ikev2/vici.sock")
        await link.connect(lambda _name, _message: None)
        orders = (
            link.apart("terminate", {"ike-id": str(1000 + n), "force": "yes"}) for n in range(200)
        )
        outcomes = await asyncio.gather(*orders, return_exceptions=True)
        link.close()
        said = {error.message for error in outcomes if isinstance(error, EngineError)}
        assert len(outcomes) == 200
        assert len(said) == 1
        assert "no matching SAs to terminate found" in said.pop()

    on_a_gateway(tmp_path, test)


MANY = 1100


class Silent:
    """Connections on which nothing is said; no more at a time than a listen queue takes."""

    def __init__(self, node: Node, pid: int) -> None:
        self._node, self._pid = node, pid
        self._lines: list[socket.socket] = []

    async def more(self, count: int) -> None:
        """Each was accepted."""
        for start in range(0, count, AT_ONCE):
            before = descriptors(self._pid)
            few = min(AT_ONCE, count - start)
            self._lines += await self._node.call(partial(connections, few))

            def accepted(wanted: int = before + few) -> bool:
                return descriptors(self._pid) >= wanted or self.closed() > 0

            await wait_until("they are accepted", PATIENCE, accepted)

    def closed(self) -> int:
        """How many the gateway has given up."""
        states = (line.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) for line in self._lines)
        return sum(state[0] != ESTABLISHED for state in states)

    def close(self) -> None:
        for line in self._lines:
            line.close()


ESTABLISHED = 1
"""TCP's state, tcp_states.h."""


def connections(count: int) -> list[socket.socket]:
    return [socket.create_connection((PUBLIC, 443)) for _ in range(count)]


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.parametrize("over", ["OpenVPN", "SSTP"])
def test_silent_connections_keep_nobody_out(tmp_path: Path, over: VpnProtocol) -> None:
    """Of one source, slowly enough to be accepted all: they have a share, and no more."""

    async def comes_in(bench: Bench, name: str, node: str) -> object:
        if over == "SSTP":
            return await connected(bench, name, node)
        pc = bench.computer(node, name)
        await pc.dial(over)
        return pc

    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(over))
        pid = (await bench.engine(over))["pid"]
        silent = Silent(bench.nodes["pc3"], pid)
        await silent.more(MANY)
        alice = await comes_in(bench, "alice", "pc1")

        async def bounded() -> bool:
            await bench.gateway.sessions()  # SSTP's worker is asked for its counts then
            counted = int((await bench.engine(over))["counters"]["half-open"])
            return 0 < counted <= SHARE and silent.closed() >= MANY - SHARE

        await wait_until("the surplus to be thrown out", PATIENCE, bounded)
        silent.close()
        bob = await comes_in(bench, "bob", "pc2")
        assert (await bench.engine(over))["pid"] == pid
        assert {row["vpnUserName"] for row in await bench.gateway.sessions()} >= {"bob"}
        del alice, bob

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))
