"""nmap's ssl-enum-ciphers as an independent scanner: it writes each ClientHello itself, so that it
offers what no library can any more."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from lab.nodes.base import Node
from lab.waiting import wait_until
from tests.rigs.patience import PATIENCE

SCRIPT = "ssl-enum-ciphers"
LIMIT = 300.0


@dataclass(frozen=True)
class Scan:
    """What a server takes: cipher suites by version, by IANA's names; and nmap's own report."""

    taken: dict[str, set[str]]
    report: str


async def scan(node: Node, address: str, port: int = 443) -> Scan:
    """Scan from a node; AssertionError: nmap has not spoken with the port at all."""
    argv = ["nmap", "--unprivileged", "-n", "-Pn", "-sT", "-p", str(port), "--reason"]
    argv += ["--script", f"+{SCRIPT}", "-oN", "-", "-oX", "/tmp/scan.xml", address]
    done = await node.run(argv, limit=LIMIT)
    assert done.code == 0, done.output
    return _read((await node.read("/tmp/scan.xml")).decode(), done.stdout)


async def bridged(node: Node, profile: str, gateway: str, port: int) -> None:
    """Start the bridge to OpenVPN's TLS in a node; returns when it listens."""
    await node.write("/tmp/vpnconfig.ovpn", profile)
    argv = ["python3", "-m", "tests.rigs.openvpn_bridge", str(port), gateway]
    process = await node.spawn([*argv, "/tmp/vpnconfig.ovpn"], log="bridge")
    await wait_until("the bridge", PATIENCE, lambda: b"ready" in Path(process.log).read_bytes())


def _read(text: str, report: str) -> Scan:
    port = ET.fromstring(text).find(".//port")
    assert port is not None, report
    state = port.find("state")
    assert state is not None, report
    assert state.get("state") == "open", report
    found = port.find(f"script[@id='{SCRIPT}']")
    versions = found.findall("table") if found is not None else []
    return Scan(
        {
            version.get("key", ""): {
                name.text or ""
                for name in version.findall("table[@key='ciphers']//elem[@key='name']")
            }
            for version in versions
        },
        report,
    )
