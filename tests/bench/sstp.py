"""How fast the gateway's SSTP is (`p2slab bench sstp`): ratios within one run.

Two namespaces joined by veth, the gateway program in one and the clients in the other; iperf3
runs inside the tunnels (for 128 flows, streams of our own), whose MTU is 1400 for all. Peers of the
same run:

    OpenVPN    openvpn 2.6, TCP 443, AES-256-GCM, TCP_NODELAY, as the gateway runs it
    plain TLS  one TLS 1.2 stream of 64 KiB writes over the same veth: the limit

Everything shares the machine's processors, the ends of the tunnels and iperf3 included. Flows end
at the gateway, which its fence is opened for; but those of `fence` go on to a host behind it, with
the fence and without in turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from gateway.forwarding.reach import SESSIONS, TABLE
from lab.topology.planning.plan import Cable, End, NodePlan, Route
from lab.waiting import wait_until
from tests.bench.certificate import self_signed
from tests.bench.flows import Flows, Iperf3, many, processor_seconds, resident
from tests.bench.sstp_gateway import OWN
from tests.rigs.gateway_bench import (
    FQDN,
    PLACEMENT,
    PLAN,
    PUBLIC,
    Bench,
    client,
    on_a_gateway,
    outside,
)

if TYPE_CHECKING:
    from lab.nodes.base import Completed, Process
    from tests.bench.flows import Direction

MTU = 1400
SECONDS = 4.0
SSTP_LIMIT = 128
CALLS = 1000
FEW = 8
CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
TURNS = 5
SAVED = "/run/fence.nft"
HOST, INSIDE = "10.1.1.4", "10.1.1.1"
"""A computer behind the gateway, and the gateway's address there."""
BEHIND = Cable(End("app1", "eth0", (f"{HOST}/24",)), End("gw", "lan", (f"{INSIDE}/24",)))
_PLAN = replace(
    PLAN,
    nodes=(*PLAN.nodes, NodePlan("app1", "host", routes=(Route("default", INSIDE),))),
    links=(*PLAN.links, BEHIND),
)
GATEWAY, LOAD_ROOT = "/run/sstp-gateway", "/run/load-root.pem"
DIRECTIONS: tuple[Direction, ...] = ("up", "down")


@dataclass
class Rows:
    """What was measured."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, direction: str, flows: Flows) -> None:
        """A row, printed at once."""
        row = {"what": what, "direction": direction, **asdict(flows)}
        row["cores_per_gbit"] = flows.cores_per_gbit
        self.rows.append(row)
        print(
            f"{what:<34}{direction:<6}{flows.gbits:7.2f} Gbit/s{flows.cores_per_gbit:8.2f} "
            f"server cores per Gbit/s   min/max {flows.slowest:.2f}",
            file=sys.stderr,
        )

    def note(self, text: str) -> None:
        """A figure that is no flow's."""
        self.rows.append({"note": text})
        print(text, file=sys.stderr)


async def measure_plain_tls(bench: Bench, rows: Rows, options: argparse.Namespace) -> None:
    """The limit."""
    certificate, key = "/run/gateway/server.pem", "/run/gateway/server.key"
    argv = [sys.executable, "-m", "tests.bench.plain_tls", "serve", PUBLIC, certificate, key]
    server = await bench.nodes["gw"].spawn(argv, log="plain-tls")
    await wait_until("plain TLS listens", 10, lambda: b"ready" in server.log.read_bytes())
    argv = [sys.executable, "-m", "tests.bench.plain_tls", "receive", PUBLIC]
    told = await bench.nodes["pc1"].run([*argv, str(options.seconds)], limit=60)
    await server.stop()
    if told.code:
        raise RuntimeError(told.output)
    rows.add("plain TLS", "down", Flows(float(told.stdout), 0.0, 1.0))


async def measure_openvpn(bench: Bench, rows: Rows, options: argparse.Namespace) -> None:
    """One client of the real openvpn."""
    await bench.gateway.put(bench.document("OpenVPN"))
    computer = bench.computer("pc1", "alice")
    connection, _ = await computer.dial("OpenVPN")
    for node, device in (("gw", "ovpn0"), ("pc1", connection.interface)):
        told = await bench.nodes[node].run(["ip", "link", "set", device, "mtu", str(MTU)])
        assert told.code == 0, told.output
    pid = (await bench.engine("OpenVPN"))["pid"]
    await _let_in(bench)
    servers = Iperf3(bench.nodes["gw"], "172.16.201.1", 1)
    await servers.start()
    for direction in DIRECTIONS:
        flows = await servers.run(
            bench.nodes["pc1"],
            [connection.address],
            direction,
            server_pid=pid,
            seconds=options.seconds,
        )
        rows.add("OpenVPN 2.6, 1 client", direction, flows)
    await computer.hang_up()
    await servers.stop()
    await bench.gateway.put(bench.document("IkeV2"))


@dataclass(frozen=True)
class Served:
    """The gateway's SSTP engine with a password, and its worker."""

    process: Process
    worker: int

    def seconds(self) -> float:
        """Processor time of both so far."""
        return processor_seconds(self.process.pid) + processor_seconds(self.worker)


@asynccontextmanager
async def serving(bench: Bench, *, native: bool, limit: int) -> AsyncIterator[Served]:
    """Up, with or without the compiled part."""
    node = bench.nodes["gw"]
    await _certify(bench)
    argv = [sys.executable, "-m", "tests.bench.sstp_gateway", GATEWAY, str(limit)]
    process = await node.spawn(argv, log="sstp-gateway", env=_native(native))

    def ready() -> int:
        if process.code is not None:
            raise RuntimeError(process.log.read_text()[-2000:])
        lines = process.log.read_text().splitlines()
        said = [line.split() for line in lines if line.startswith("ready ")]
        return int(said[-1][1]) if said else 0

    worker = await wait_until("the SSTP worker serves", 15, ready)
    yield Served(process, outside(worker, await node.entrance()))
    await process.stop()
    process.log.unlink()


async def _certify(bench: Bench) -> None:
    """A certificate for the gateway, which its clients trust."""
    certificate, key = self_signed(FQDN)
    ends = {"certificate": "pem", "privateKey": "key", "root": "pem"}
    files = {name: f"{GATEWAY}/server.{end}" for name, end in ends.items()}
    interfaces = {"public": "wan", "private": BEHIND.b.interface}
    placement = PLACEMENT | {"serverCertificate": files, "interfaces": interfaces}
    await bench.nodes["gw"].write(f"{GATEWAY}/placement.json", json.dumps(placement))
    await bench.nodes["gw"].write(files["certificate"], certificate)
    await bench.nodes["gw"].write(files["privateKey"], key, 0o600)
    await bench.nodes["pc1"].write(LOAD_ROOT, certificate)


def _native(native: bool) -> dict[str, str]:
    return {} if native else {"P2SLAB_NATIVE": "off"}


async def _load(bench: Bench, mode: str, number: int) -> Process:
    """tests.bench.sstp_load, always with the compiled part: it is not what is measured."""
    argv = [sys.executable, "-m", "tests.bench.sstp_load", mode, str(number), PUBLIC, FQDN]
    return await bench.nodes["pc1"].spawn([*argv, LOAD_ROOT], log="sstp-load")


async def _said(process: Process, limit: float) -> dict[str, Any]:
    """The line that the load prints."""

    def line() -> str:
        text = process.log.read_text()
        if process.code:
            raise RuntimeError(text[-2000:])
        return next((row for row in text.splitlines() if row.startswith("{")), "")

    told: dict[str, Any] = json.loads(await wait_until("the load's figures", limit, line))
    process.log.unlink()
    return told


async def measure_clients(
    number: int, active: Sequence[int], bench: Bench, rows: Rows, options: argparse.Namespace
) -> None:
    """`number` clients, of which so many are active at one time, with the compiled part or not."""
    for native in (True, False):
        how = "" if native else ", pure Python"
        async with serving(bench, native=native, limit=SSTP_LIMIT) as served:
            before = resident(served.worker)
            load = await _load(bench, "hold", number)
            addresses = (await _said(load, 60))["addresses"]
            await _let_in(bench)
            for count in active:
                for direction in DIRECTIONS:
                    carried = await _carry(
                        bench, addresses[:count], direction, served.worker, options.seconds
                    )
                    what = f"SSTP, {number} client{'s' * (number > 1)}, {count} active{how}"
                    rows.add(what, direction, carried)
            if number > 1:
                each = (resident(served.worker) - before) / number / 1e6
                rows.note(f"SSTP, {number} clients{how}: {each:.2f} MB a client")
            await load.stop()


async def _carry(
    bench: Bench,
    sources: Sequence[str],
    direction: Direction,
    worker: int,
    seconds: float,
    *,
    behind: bool = False,
) -> Flows:
    """A flow from each of these addresses, to the gateway or, a few only, to the host behind it;
    many take longer to find their pace."""
    gateway, clients = bench.nodes["gw"], bench.nodes["pc1"]
    if len(sources) > FEW:
        return await many(
            gateway, clients, OWN, sources, direction, server_pid=worker, seconds=4 * seconds
        )
    server, address = (bench.nodes[BEHIND.a.node], HOST) if behind else (gateway, OWN)
    servers = Iperf3(server, address, len(sources))
    await servers.start()
    flows = await servers.run(clients, sources, direction, server_pid=worker, seconds=seconds)
    await servers.stop()
    return flows


async def measure_fence(bench: Bench, rows: Rows, options: argparse.Namespace) -> None:
    """One flow through the gateway, with the fence and without in turn; a full set of sessions."""
    gateway = bench.nodes["gw"]
    rates: dict[tuple[str, Direction], list[float]] = defaultdict(list)
    async with serving(bench, native=True, limit=SSTP_LIMIT) as served:
        load = await _load(bench, "through", 1)
        source, *_ = (await _said(load, 60))["addresses"]
        others = ", ".join(f'172.16.203.{n} . "sstp0"' for n in range(1, SSTP_LIMIT))
        await _nft(bench, f"add element {TABLE} {SESSIONS} {{ {others} }}")
        table = (await _nft(bench, f"list table {TABLE}")).stdout
        await gateway.write(SAVED, table)
        for _ in range(options.turns):
            for how in ("without", "with"):
                await _nft(bench, *(("-f", SAVED) if how == "with" else (f"delete table {TABLE}",)))
                for direction in DIRECTIONS:
                    flows = await _carry(
                        bench, [source], direction, served.worker, options.seconds, behind=True
                    )
                    rows.add(f"SSTP, forwarded, {how} fence", direction, flows)
                    rates[how, direction].append(flows.gbits)
        await load.stop()
    for direction in DIRECTIONS:
        ratio = median(rates["with", direction]) / median(rates["without", direction])
        rows.note(f"forwarding {direction} with the fence: {ratio:.3f} of without")


async def _let_in(bench: Bench) -> None:
    """What comes out of tunnels, to the gateway's own address: iperf3 is there."""
    await _nft(bench, f'insert rule {TABLE} input iifname {{ "ovpn0", "sstp0" }} accept')


async def _nft(bench: Bench, *arguments: str) -> Completed:
    done = await bench.nodes["gw"].run(["nft", *arguments])
    if done.code:
        raise RuntimeError(done.output)
    return done


async def measure_calls(bench: Bench, rows: Rows, options: argparse.Namespace) -> None:
    """Calls set up and ended; as a call takes its time to end, more than 128 are let in."""
    number = options.calls
    async with serving(bench, native=True, limit=number) as served:
        began = served.seconds()
        load = await _load(bench, "rate", number)
        told = await _said(load, 120)
        spent = served.seconds() - began
        rows.note(
            f"calls (TLS, PPP, MS-CHAPv2, binding): {number / spent:.0f} per processor second of "
            f"the server, {number / told['seconds']:.0f} per second with their clients beside"
        )


PARTS: dict[str, Callable[[Bench, Rows, argparse.Namespace], Awaitable[None]]] = {
    "plain-tls": measure_plain_tls,
    "openvpn": measure_openvpn,
    "one": partial(measure_clients, 1, [1]),
    "many": partial(measure_clients, SSTP_LIMIT, [8, SSTP_LIMIT]),
    "fence": measure_fence,
    "calls": measure_calls,
}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print figures and ratios."""
    parser = argparse.ArgumentParser(prog="p2slab bench sstp", description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", type=Path, help="write the rows there as JSON")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each flow")
    parser.add_argument("--turns", type=int, default=TURNS, help="of each way, for `fence`")
    parser.add_argument("--only", choices=list(PARTS), action="append", help="a part of it")
    parser.add_argument("--calls", type=int, default=CALLS, help="to be set up and ended")
    options = parser.parse_args(arguments)
    rows = Rows()

    async def run(bench: Bench) -> None:
        for node in ("gw", "pc1", "app1"):  # the machine's own choice may be another
            await bench.nodes[node].call(partial(CONGESTION.write_text, "reno"))
        for part in options.only or PARTS:
            await PARTS[part](bench, rows, options)
        if options.json:
            options.json.write_text(json.dumps(rows.rows, indent=1))

    with tempfile.TemporaryDirectory() as logs:
        on_a_gateway(Path(logs), run, client("alice"), plan=_PLAN)


if __name__ == "__main__":
    main(sys.argv[1:])
