"""How fast the gateway's SSTP is (`p2slab bench sstp`): ratios within one run.

Two namespaces joined by veth, the gateway program in one and the clients in the other; iperf3
runs inside the tunnels, whose MTU is 1400 for all. Peers of the same run:

    OpenVPN    openvpn 2.6, TCP 443, AES-256-GCM, TCP_NODELAY, as the gateway runs it
    plain TLS  one TLS 1.2 stream of 64 KiB writes over the same veth: the limit

Everything shares the machine's processors, the ends of the tunnels and iperf3 included.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.waiting import wait_until
from tests.bench.flows import Flows, Iperf3
from tests.labs.gateway_bench import PUBLIC, Bench, client, on_a_gateway

if TYPE_CHECKING:
    from tests.bench.flows import Direction

MTU = 1400
SECONDS = 4.0
DIRECTIONS: tuple[Direction, ...] = ("up", "down")


@dataclass
class Rows:
    """What was measured."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, direction: str, flows: Flows) -> None:
        """A row, told at once."""
        row = {"what": what, "direction": direction, **asdict(flows)}
        row["cores_per_gbit"] = flows.cores_per_gbit
        self.rows.append(row)
        print(
            f"{what:<34}{direction:<6}{flows.gbits:7.2f} Gbit/s{flows.cores_per_gbit:8.2f} "
            f"server cores per Gbit/s   min/max {flows.slowest:.2f}",
            file=sys.stderr,
        )


async def measure_plain_tls(bench: Bench, seconds: float) -> float:
    """Gbit/s of the limit."""
    certificate, key = "/run/gateway/server.pem", "/run/gateway/server.key"
    argv = [sys.executable, "-m", "tests.bench.plain_tls", "serve", PUBLIC, certificate, key]
    server = await bench.nodes["gw"].spawn(argv, log="plain-tls")
    await wait_until("plain TLS listens", 10, lambda: b"ready" in server.log.read_bytes())
    argv = [sys.executable, "-m", "tests.bench.plain_tls", "receive", PUBLIC, str(seconds)]
    told = await bench.nodes["pc1"].run(argv, limit=seconds + 30)
    await server.stop()
    if told.code:
        raise RuntimeError(told.said)
    return float(told.stdout)


async def measure_openvpn(bench: Bench, rows: Rows, seconds: float) -> None:
    """One client of the real openvpn."""
    await bench.gateway.put(bench.document("OpenVPN"))
    computer = bench.computer("pc1", "alice")
    connection, _ = await computer.dial("OpenVPN")
    for node, device in (("gw", "ovpn0"), ("pc1", connection.interface)):
        told = await bench.nodes[node].run(["ip", "link", "set", device, "mtu", str(MTU)])
        assert told.code == 0, told.said
    pid = (await bench.engine("OpenVPN"))["pid"]
    servers = Iperf3(bench.nodes["gw"], "172.16.201.1", 1)
    await servers.start()
    for direction in DIRECTIONS:
        flows = await servers.run(
            bench.nodes["pc1"], [connection.address], direction, server_pid=pid, seconds=seconds
        )
        rows.add("OpenVPN 2.6, 1 client", direction, flows)
    await computer.hang_up()


def main(arguments: Sequence[str]) -> None:
    """Measure, and print figures and ratios."""
    parser = argparse.ArgumentParser(prog="p2slab bench sstp", description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", type=Path, help="write the rows there as JSON")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each flow")
    options = parser.parse_args(arguments)
    rows = Rows()

    async def run(bench: Bench) -> None:
        limit = await measure_plain_tls(bench, options.seconds)
        rows.add("plain TLS", "down", Flows(limit, 0.0, 1.0))
        await measure_openvpn(bench, rows, options.seconds)
        if options.json:
            options.json.write_text(json.dumps(rows.rows, indent=1))

    with tempfile.TemporaryDirectory() as logs:
        on_a_gateway(Path(logs), run, client("alice"))


if __name__ == "__main__":
    main(sys.argv[1:])
