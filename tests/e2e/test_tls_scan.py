"""Which TLS the gateway's listeners take, by an independent scanner (nmap): TLS 1.2 alone, with the
documented suites alone. OpenVPN's is inside its own protocol; tests.rigs.openvpn_bridge takes it
out. What the scanner can see at all is shown with a server that takes everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.common.vocabulary import VpnProtocol
from lab.clients.profile import read_profile
from lab.nodes.base import Node
from lab.waiting import wait_until
from tests.rigs.gateway_bench import PUBLIC, Bench, on_a_gateway
from tests.rigs.patience import PATIENCE
from tests.rigs.tls_scan import Scan, bridged, scan

DOCUMENTED = {
    f"TLS_{exchange}_WITH_AES_{bits}_{mode}"
    for exchange in ("ECDHE_RSA", "RSA")
    for bits, modes in {
        "128": ("GCM_SHA256", "CBC_SHA256"),
        "256": ("GCM_SHA384", "CBC_SHA384" if exchange == "ECDHE_RSA" else "CBC_SHA256"),
    }.items()
    for mode in modes
}
"""Those of docs/facts.md §3 that a gateway with an RSA certificate can have."""
GONE = {
    0x0005: "TLS_RSA_WITH_RC4_128_SHA",
    0x0009: "TLS_RSA_WITH_DES_CBC_SHA",
    0x000A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    0x0004: "TLS_RSA_WITH_RC4_128_MD5",
}
"""A suite of each of the seed's algorithms: RC4, DES, 3DES and MD5."""
OLD = {0x0300: "SSLv3", 0x0301: "TLSv1.0", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2"}
PORT = 4433


async def of_sstp(bench: Bench) -> Scan:
    return await scan(bench.nodes["pc1"], PUBLIC)


async def of_openvpn(bench: Bench) -> Scan:
    package = read_profile(await bench.gateway.profile({"authenticationMethod": "EAPTLS"}))
    await bridged(bench.nodes["pc1"], package.openvpn, PUBLIC, PORT)
    return await scan(bench.nodes["pc1"], "127.0.0.1", PORT)


LISTENERS: dict[VpnProtocol, Callable[[Bench], Awaitable[Scan]]] = {
    "SSTP": of_sstp,
    "OpenVPN": of_openvpn,
}


@pytest.mark.parametrize("protocol", LISTENERS)
def test_a_listener_takes_tls_1_2_with_the_documented_suites_and_nothing_else(
    tmp_path: Path, protocol: VpnProtocol
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document(protocol))
        found = await LISTENERS[protocol](bench)
        assert found.taken == {"TLSv1.2": DOCUMENTED}, found.report

    on_a_gateway(tmp_path, test)


def test_the_scanner_sees_what_is_gone_where_a_server_takes_it(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        pc, certificate = bench.nodes["pc1"], "/tmp/server.pem"
        await pc.write(certificate, bench.credentials["gw-server"].chain_pem)
        numbers = [",".join(f"{one:04x}" for one in every) for every in (OLD, GONE)]
        argv = ["python3", "-m", "tests.rigs.weak_tls", str(PORT), certificate, *numbers]
        await listening(pc, argv, b"ready")
        found = await scan(pc, "127.0.0.1", PORT)
        assert found.taken == {version: {*GONE.values()} for version in OLD.values()}, found.report

    on_a_gateway(tmp_path, test)


def test_the_scanner_sees_tls_1_3_and_1_1_of_a_real_server(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        pc, made = bench.nodes["pc1"], bench.credentials["gw-server"]
        await pc.write("/tmp/server.pem", made.chain_pem + made.key_pem)
        server = ["openssl", "s_server", "-www", "-accept", str(PORT), "-cert", "/tmp/server.pem"]
        await listening(pc, [*server, "-cipher", "AES128-SHA:NULL-MD5:@SECLEVEL=0"], b"ACCEPT")
        found = await scan(pc, "127.0.0.1", PORT)
        old = {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_NULL_MD5"}
        assert found.taken.keys() == {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"}, found.report
        assert found.taken["TLSv1.1"] == old, found.report

    on_a_gateway(tmp_path, test)


async def listening(node: Node, argv: list[str], word: bytes) -> None:
    process = await node.spawn(argv, log="server")
    await wait_until("the server", PATIENCE, lambda: word in process.log.read_bytes())
