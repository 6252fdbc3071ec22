"""How fast the data plane of SSTP is alone, without PPP: TLS, framing, TUN (`p2slab bench
dataplane [SECONDS]`).

Two network namespaces with a veth between them; in one the gateway's plane, in the other one
process with all clients' connections and their TUN (always with the compiled part); one process
in each for the ends of the TCP streams inside. All of them share the machine's cores, so the
gateway's own CPU a Gbit/s is the figure to compare.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from gateway.common import calls
from gateway.dataplane import native
from gateway.dataplane.carrier import CLIENT
from gateway.dataplane.flow import Flow
from gateway.dataplane.native import Native
from gateway.dataplane.plane import Plane
from gateway.dataplane.reactor import READABLE, Reactor
from gateway.dataplane.tls import TlsConnection, tune
from gateway.dataplane.tun import configure, open_tun
from tests.bench import streams
from tests.rigs.isolated import isolated
from tests.unit.gateway.dataplane.pieces import KINDS, contexts

MTU = 1400
OUTER = "10.0.0.1"
INNER = IPv4Address("172.16.0.1")
POOL = IPv4Network("172.16.1.0/24")
LONGEST = 20
"""Seconds that anything may take beyond the streams themselves."""


@dataclass(frozen=True)
class Case:
    """`active` of `clients` carry one TCP stream each."""

    tls: str
    mover: str
    clients: int
    active: int
    down: bool
    seconds: float


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    cases = [
        Case(tls, mover, clients, active, down, seconds)
        for clients, active in ((1, 1), (128, 8), (128, 128))
        for mover in ("native", "python")
        for tls in KINDS
        for down in (False, True)
    ]
    wanted = set(sys.argv[2:])
    print("clients active mover  tls    way   Gbit/s  gateway cores/Gbit  min/max  KB/client")
    for case in cases:
        words = {
            case.tls,
            case.mover,
            f"{case.clients}/{case.active}",
            "down" if case.down else "up",
        }
        if wanted <= words:
            row = measure(case)
            print(
                f"{case.clients:7} {case.active:6} {case.mover:6} {case.tls:6} "
                f"{'down' if case.down else 'up':5} {row['gbit']:6.2f}  {row['cpu']:18.3f} "
                f"{row['fairness']:8.2f} {row['memory']:10.0f}",
                flush=True,
            )


def measure(case: Case) -> dict[str, float]:
    """Run it on a ground of its own."""
    reading, writing = os.pipe()

    def there() -> None:
        os.write(writing, json.dumps(_run(case)).encode())

    isolated(there)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        row: dict[str, float] = json.loads(pipe.read())
    return row


def _run(case: Case) -> dict[str, float]:
    compiled = native.load()
    contexts()
    ready, tell = os.pipe()
    there, come = os.pipe()
    with forked(partial(_clients, case, there, tell)) as clients:
        _await(ready)
        _join(clients)
        with forked(partial(_gateway, case, compiled, tell)) as gateway:
            _await(ready)
            empty = _memory(gateway)
            os.write(come, b"x")
            _await(ready)
            return _load(case, gateway, clients, empty)


def _await(ready: int) -> None:
    if not select.select([ready], [], [], LONGEST)[0]:
        raise TimeoutError("a process of the benchmark has not said that it is ready")
    os.read(ready, 1)


def _join(clients: int) -> None:
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        kernel.link("set", index=1, state="up")
        kernel.link("add", ifname="v0", kind="veth", peer={"ifname": "v1", "net_ns_pid": clients})
        index = kernel.link_lookup(ifname="v0")[0]
        kernel.addr("add", index=index, address=OUTER, prefixlen=24)
        kernel.link("set", index=index, state="up")


def _gateway(case: Case, compiled: Native | None, tell: int) -> None:
    carrying = compiled if case.mover == "native" else None
    tun = open_tun("tun0", vnet_hdr=carrying is not None)
    configure("tun0", IPv4Interface(f"{INNER}/32"), MTU, [POOL])
    listener = socket.create_server((OUTER, 443), backlog=256)
    with Reactor() as reactor:
        plane = Plane(tun, carrying, reactor, MTU)

        def accept(_events: int) -> None:
            stream, _ = listener.accept()
            _prepare(stream)
            connection = KINDS[case.tls](stream, contexts()[0])
            reactor.add(connection.fileno(), READABLE, partial(greet, connection))

        def greet(connection: TlsConnection, _events: int) -> None:
            if connection.version == "" and not connection.handshake():
                assert not connection.ended, connection.ended
                return
            said = connection.read()
            if said:
                plane.add(_flow(connection, said[:4], said[4:]))

        reactor.add(listener.fileno(), READABLE, accept)
        os.write(tell, b"x")
        reactor.run()


def _clients(case: Case, there: int, tell: int) -> None:
    from pyroute2 import IPRoute

    calls.unshare(calls.NEWNET)
    os.write(tell, b"x")
    os.read(there, 1)
    with IPRoute() as kernel:
        index = kernel.link_lookup(ifname="v1")[0]
        kernel.addr("add", index=index, address="10.0.0.2", prefixlen=24)
        kernel.link("set", index=index, state="up")
        compiled = native.load()
        tun = open_tun("tun0", vnet_hdr=compiled is not None)
        configure("tun0", IPv4Interface(f"{POOL[1]}/32"), MTU, [])
        index = kernel.link_lookup(ifname="tun0")[0]
        for number in range(2, case.clients + 1):
            kernel.addr("add", index=index, address=str(POOL[number]), prefixlen=32)
        kernel.route("add", dst=f"{INNER}/32", oif=index)
    with Reactor() as reactor:
        plane = Plane(tun, compiled, reactor, MTU, side=CLIENT)
        for number in range(1, case.clients + 1):
            plane.add(_dial(POOL[number]))
        os.write(tell, b"x")
        reactor.run()


def _dial(address: IPv4Address) -> Flow:
    stream = socket.create_connection((OUTER, 443))
    connection = KINDS["memory"](stream, contexts()[1], server_side=False)
    stream.setblocking(True)
    while not connection.handshake():
        assert not connection.ended, connection.ended
    connection.write([address.packed])
    _prepare(stream)
    return _flow(connection, address.packed)


def _prepare(stream: socket.socket) -> None:
    """The machine's default may be bbr, which paces."""
    tune(stream)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def _flow(connection: TlsConnection, address: bytes, received: bytes = b"") -> Flow:
    return Flow(
        connection,
        address=IPv4Address(address),
        ip_header=b"\xff\x03\x00\x21",
        peer_mru=MTU,
        control=lambda _: None,
        closed=lambda why: print(why, file=sys.stderr),
        received=received,
    )


def _load(case: Case, gateway: int, clients: int, empty: int) -> dict[str, float]:
    """Run the streams and look at the gateway before and after."""
    listener = socket.create_server((str(INNER), streams.PORT), backlog=256)
    reading, writing = os.pipe()
    with (
        forked(partial(_here, case, listener, writing)),
        forked(partial(_there, case, clients, writing)),
    ):
        _await(reading)  # both ends have their streams, one after the other
        _await(reading)
        time.sleep(streams.WARM_UP)
        before, began = _cpu(gateway), time.monotonic()
        if not select.select([reading], [], [], case.seconds + LONGEST)[0]:
            raise TimeoutError("no stream has been measured")
        spent, took = _cpu(gateway) - before, time.monotonic() - began
        rates: list[float] = json.loads(os.read(reading, 65536))
    return {
        "gbit": sum(rates) / 1e9,
        "cpu": spent / took / (sum(rates) / 1e9),
        "fairness": min(rates) / max(rates),
        "memory": (_memory(gateway) - empty) / case.clients,
    }


def _here(case: Case, listener: socket.socket, writing: int) -> None:
    _stream(case, streams.accept(listener, case.active), writing, sends=case.down)


def _there(case: Case, clients: int, writing: int) -> None:
    calls.setns(os.open(f"/proc/{clients}/ns/net", os.O_RDONLY), calls.NEWNET)
    sources = [str(POOL[number]) for number in range(1, case.active + 1)]
    _stream(case, streams.connect(str(INNER), sources), writing, sends=not case.down)


def _stream(case: Case, made: list[socket.socket], writing: int, *, sends: bool) -> None:
    os.write(writing, b"x")
    if sends:
        streams.send(made)
    else:
        os.write(writing, json.dumps(streams.receive(made, case.seconds)).encode())


def _cpu(process: int) -> float:
    """Seconds of user and system time (proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(process: int) -> int:
    """Resident, in KB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@contextmanager
def forked(function: Callable[[], None]) -> Iterator[int]:
    """A process that does that until the context ends."""
    child = os.fork()
    if child == 0:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 (the end of this process)
            print(f"{function}: {error!r}", file=sys.stderr)
        finally:
            os._exit(1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
