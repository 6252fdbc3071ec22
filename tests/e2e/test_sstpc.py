"""The real sstpc and pppd at the real gateway program: binding, bursts, and leaving."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.common import calls
from lab.topology.planning.plan import CertificatePlan, Plan
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.rigs.burst import COUNT
from tests.rigs.gateway_bench import (
    FQDN,
    GUID,
    PLAN,
    PRIVATE,
    PUBLIC,
    Bench,
    client,
    on_a_gateway,
)
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import sessions

RELAY = "192.0.2.6"
"""pc2's address."""


def on_a_kernel_with_ppp(
    logs: Path,
    test: Callable[[Bench], Awaitable[None]],
    *certificates: CertificatePlan,
    dials: str = PUBLIC,
) -> None:
    """pc1 has PPP, of the machine or of its own; `dials`: where it believes the gateway to be."""
    on_a_gateway(logs, test, *certificates, plan=with_ppp(PLAN, dials))


def with_ppp(plan: Plan, dials: str = PUBLIC) -> Plan:
    """The same with PPP on pc1."""
    nodes = (
        replace(node, needs=("ppp",), hosts=((dials, (FQDN,)),)) if node.name == "pc1" else node
        for node in plan.nodes
    )
    return replace(plan, nodes=tuple(nodes))


def test_sstpc_binds_its_call_to_the_gateways_certificate_and_takes_leave(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        alice = bench.computer("pc1", "alice", "windows10")
        connection, _ = await alice.dial("SSTP")
        assert "CRYPTO BIND(3): 104" in connection.said
        assert "Connection Established" in connection.said
        (told,) = await bench.records("connected")
        assert told["message"] == f"assigned {connection.address} (SHA256, pppd)"
        ping = await alice.node.run(["ping", "-c", "2", "-i", "0.2", PRIVATE])
        assert ping.code == 0, ping.output
        await alice.hang_up()

        async def left() -> bool:
            return bool(await bench.records("disconnected"))

        await wait_until("the gateway's record", PATIENCE, left)
        (ended,) = await bench.records("disconnected")
        assert ended["message"] == "the peer ended the link"
        assert not await bench.records("refused")

    on_a_kernel_with_ppp(tmp_path, test, client("alice"))


def hide_the_compiler() -> None:
    """In this node there is none, nor what one has made before."""
    compiler = shutil.which("gcc")
    assert compiler
    calls.bind("/dev/null", str(Path(compiler).resolve()))
    made = Path(os.environ["P2SLAB_CACHE"], "native")
    made.mkdir(mode=0o700, exist_ok=True)
    calls.mount("none", str(made), "tmpfs")


@pytest.mark.parametrize("path", ["compiled", "Python"])
def test_of_ten_packets_sent_at_once_all_arrive_with_nothing_sent_after_them(
    tmp_path: Path, path: str
) -> None:
    async def test(bench: Bench) -> None:
        if path == "Python":
            await bench.nodes["gw"].call(hide_the_compiler)
        await bench.gateway.put(bench.document("SSTP"))
        assert (await bench.engine("SSTP"))["datapath"].endswith(f", {path})")
        alice = bench.computer("pc1", "alice", "windows10")
        await alice.dial("SSTP")
        program = [sys.executable, "-m", "tests.rigs.burst"]
        (row,) = await sessions(bench, 1)
        takes = await bench.nodes["pc1"].spawn([*program, "take"], log="burst")
        await wait_until("it listens", PATIENCE, lambda: "ready" in takes.log.read_text())
        sent = await bench.nodes["gw"].run([*program, "send", row["privateIpAddress"]])
        assert sent.code == 0, sent.output
        assert await takes.wait() == 0
        assert takes.log.read_text().split() == ["ready", *map(str, range(COUNT))]

    on_a_kernel_with_ppp(tmp_path, test, client("alice"))


async def refusal_at_a_relay(bench: Bench, certificate: str) -> RefusedError:
    """What alice is told where pc2 ends her TLS, with this certificate, and begins another."""
    await bench.gateway.put(bench.document("SSTP"))
    shown, root = bench.credentials[certificate], bench.credentials["public-root"]
    await bench.nodes["pc2"].write("/run/pem", shown.chain_pem + shown.key_pem, 0o600)
    await bench.nodes["pc2"].write("/run/root", root.certificate_pem)
    argv = [sys.executable, "-m", "tests.rigs.tls_relay", RELAY, "/run/pem", PUBLIC, FQDN]
    relay = await bench.nodes["pc2"].spawn([*argv, "/run/root"], log="relay")
    await wait_until("it listens", PATIENCE, lambda: "ready" in relay.log.read_text())
    with pytest.raises(RefusedError) as refused:
        await bench.computer("pc1", "alice", "windows10").dial("SSTP")
    return refused.value


def test_a_man_in_the_middle_with_a_good_certificate_is_found_out_by_the_binding(
    tmp_path: Path,
) -> None:
    async def test(bench: Bench) -> None:
        refused = await refusal_at_a_relay(bench, "middle")
        assert "TYPE(5): ABORT" in refused.message
        (told,) = await bench.records("refused")
        assert told["reason"] == "binding"
        assert "another server certificate" in told["message"]

    on_a_kernel_with_ppp(
        tmp_path,
        test,
        client("alice"),
        CertificatePlan("middle", f"{GUID}.vpn.azure.com", "public-root", "server",
                        dns_names=(FQDN,)),
        dials=RELAY,
    )  # fmt: skip


def test_a_server_with_a_certificate_for_another_name_is_shown_nothing(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        refused = await refusal_at_a_relay(bench, "other")
        assert refused.reason == "server-untrusted"
        assert "hostname mismatch" in refused.message

    on_a_kernel_with_ppp(
        tmp_path,
        test,
        client("alice"),
        CertificatePlan("other", "other.test", "public-root", "server", dns_names=("other.test",)),
        dials=RELAY,
    )
