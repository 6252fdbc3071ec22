"""The gateway program with SSTP: sessions of the Python client from the first byte to the last."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from gateway.sstp.protocol.events import Data, Ended
from lab.topology.planning.plan import CertificatePlan
from tests.rigs.gateway_bench import PRIVATE, Bench, client, on_a_gateway
from tests.rigs.patience import EMPTY
from tests.rigs.sstp_bench import connected, counters, memory, off, outcome, refusals, sessions


def test_a_client_comes_in_is_counted_and_leaves(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        assert alice.version == "TLSv1.2"
        assert await off(lambda: alice.ping(PRIVATE))
        (row,) = await bench.gateway.sessions()
        assert row["privateIpAddress"] == str(alice.call.address) == "172.16.201.2"
        assert row["publicIpAddress"] == "192.0.2.2"
        assert row["vpnUserName"] == "alice"
        assert row["thumbprint"] == bench.credentials["alice"].thumbprint
        assert (row["ingressPacketsTransferred"], row["egressPacketsTransferred"]) == (1, 1)
        assert (row["ingressBytesTransferred"], row["egressBytesTransferred"]) == (84, 84)
        await off(alice.hang_up)
        await sessions(bench, 0)
        log = await bench.gateway.log()
        assert [r["event"] for r in log] == ["connected", "disconnected"]
        assert log[0]["message"] == "assigned 172.16.201.2 (SHA256, specification)"

    on_a_gateway(tmp_path, test, client("alice"))


def test_the_form_of_pppds_binding_key_is_taken_too_and_told(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        await connected(bench, "alice", key_form="pppd")
        (record,) = await bench.records("connected")
        assert record["message"] == "assigned 172.16.201.2 (SHA256, pppd)"

    on_a_gateway(tmp_path, test, client("alice"))


def test_packets_of_every_size_pass_and_foreign_sources_do_not(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice, bob = await connected(bench, "alice"), await connected(bench, "bob", "pc2")
        for size in (0, 1, 56, 1372):
            assert await off(lambda size=size: alice.ping(PRIVATE, size=size))  # type: ignore[misc]
        bobs = bob.call.address
        assert not await off(lambda: alice.ping(PRIVATE, source=bobs, limit=EMPTY))
        foreign = IPv4Address("10.1.0.9")
        assert not await off(lambda: alice.ping(PRIVATE, source=foreign, limit=EMPTY))
        await off(lambda: bob.turn(3))
        assert not any(isinstance(event, Data) for event in bob.events)
        assert (await counters(bench))["packets spoofed"] == 2
        assert await off(lambda: bob.ping(PRIVATE))

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


def test_a_client_that_stops_reading_holds_nobody_up(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice, bob = await connected(bench, "alice"), await connected(bench, "bob", "pc2")
        worker = (await bench.engine("SSTP"))["pid"]
        address = (str(alice.call.address), 9)

        def flood() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(20000):
                    sender.sendto(bytes(1200), address)

        await bench.nodes["gw"].call(flood)  # 24 MB; the queue takes 256 kB
        assert await off(lambda: bob.ping(PRIVATE))
        assert (await counters(bench))["packets dropped"] > 0
        assert memory(worker) < 100_000_000
        await bench.gateway.put(bench.document("SSTP", revoked=("alice",)))
        assert [row["vpnUserName"] for row in await bench.gateway.sessions()] == ["bob"]
        assert await off(lambda: bob.ping(PRIVATE))

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


def test_revoking_ends_the_session_at_once_and_for_good(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice, bob = await connected(bench, "alice"), await connected(bench, "bob", "pc2")
        await bench.gateway.put(bench.document("SSTP", revoked=("alice",)))
        assert [row["vpnUserName"] for row in await bench.gateway.sessions()] == ["bob"]
        assert not await off(lambda: alice.ping(PRIVATE, limit=EMPTY))
        await off(lambda: alice.until(Ended))
        assert await off(lambda: bob.ping(PRIVATE))
        await outcome(bench, "alice")
        (record,) = await refusals(bench, 1)
        assert (record["reason"], record["user"]) == ("revoked", "alice")
        assert record["thumbprint"] == bench.credentials["alice"].thumbprint
        await bench.gateway.put(bench.document("SSTP"))
        await connected(bench, "alice")

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


def test_the_operator_disconnects(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        (row,) = await bench.gateway.sessions()
        await bench.gateway.disconnect([row["vpnConnectionId"]])
        assert await bench.gateway.sessions() == []
        await off(lambda: alice.until(Ended))
        await off(lambda: alice.until(type(None)))
        assert alice.closed
        (record,) = await bench.records("disconnected")
        assert record["message"] == "disconnected by the operator"

    on_a_gateway(tmp_path, test, client("alice"))


def test_a_dead_client_is_disconnected_too(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        await connected(bench, "alice")
        cut = ["ip", "link", "set", "eth0", "down"]
        assert (await bench.nodes["pc1"].run(cut)).code == 0
        async with asyncio.timeout(2):
            await bench.gateway.put(bench.document("SSTP", revoked=("alice",)))
        assert await bench.gateway.sessions() == []

    on_a_gateway(tmp_path, test, client("alice"))


def test_roots_come_and_go_while_others_stay_connected(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        await outcome(bench, "eve", "pc2")
        worker = (await bench.engine("SSTP"))["pid"]
        await bench.gateway.put(bench.document("SSTP", roots=("root", "second")))
        eve = await connected(bench, "eve", "pc2")
        await bench.gateway.put(bench.document("SSTP"))
        await off(lambda: eve.until(Ended))
        assert [row["vpnUserName"] for row in await bench.gateway.sessions()] == ["alice"]
        await outcome(bench, "eve", "pc2")
        assert [r["reason"] for r in await refusals(bench, 2)] == ["untrusted"] * 2
        assert await off(lambda: alice.ping(PRIVATE))
        assert (await bench.engine("SSTP"))["pid"] == worker

    on_a_gateway(
        tmp_path,
        test,
        client("alice"),
        CertificatePlan("second", "Second Root", None, "root"),
        client("eve", issuer="second"),
    )


def test_a_used_up_pool_refuses_the_next_and_a_freed_address_is_given_again(
    tmp_path: Path,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", "SSTP", pool="172.16.9.0/29"))
        alice = await connected(bench, "alice")
        assert str(alice.call.address) == "172.16.9.6"
        await outcome(bench, "bob", "pc2")
        (record,) = await refusals(bench, 1)
        assert (record["reason"], record["user"]) == ("no-address", "bob")
        await off(alice.hang_up)
        await sessions(bench, 0)
        bob = await connected(bench, "bob", "pc2")
        assert str(bob.call.address) == "172.16.9.6"

    on_a_gateway(tmp_path, test, client("alice"), client("bob"))


def test_another_pool_ends_the_sessions_and_gives_other_addresses(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = await connected(bench, "alice")
        await bench.gateway.put(bench.document("SSTP", pool="172.16.99.0/24"))
        assert await bench.gateway.sessions() == []
        await off(lambda: alice.until(Ended))
        alice = await connected(bench, "alice")
        assert str(alice.call.address) == "172.16.99.2"
        assert await off(lambda: alice.ping(PRIVATE))

    on_a_gateway(tmp_path, test, client("alice"))


@pytest.mark.parametrize("kept", ["SSTP", "IkeV2"])
def test_a_protocol_is_turned_off_and_on_again(tmp_path: Path, kept: str) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("IkeV2", "SSTP"))
        await connected(bench, "alice")
        await bench.gateway.put(bench.document(kept))
        assert [e["protocol"] for e in (await bench.gateway.runtime())["engines"]] == [kept]
        await sessions(bench, 0)  # the pool's part of SSTP moves when the other goes
        listening = await bench.nodes["gw"].run(["ip", "link", "show", "sstp0"])
        assert (listening.code == 0) == (kept == "SSTP")
        await bench.gateway.put(bench.document("IkeV2", "SSTP"))
        again = await connected(bench, "alice")
        assert await off(lambda: again.ping(PRIVATE))

    on_a_gateway(tmp_path, test, client("alice"))


def test_sstp_and_openvpn_take_their_port_from_each_other(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        for protocol in ("OpenVPN", "SSTP", "OpenVPN", "SSTP", "OpenVPN"):
            await bench.gateway.put(bench.document(protocol))
            assert [e["state"] for e in (await bench.gateway.runtime())["engines"]] == ["running"]

    on_a_gateway(tmp_path, test)
