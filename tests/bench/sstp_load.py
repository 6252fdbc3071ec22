"""Many SSTP clients in one process.

    python -m tests.bench.sstp_load hold|through|rate NUMBER ADDRESS NAME ROOT

`hold` brings NUMBER calls up, each with a TUN and the gateway's own data plane behind it, prints
their addresses as one JSON line, and carries packets until it is killed. `rate` makes NUMBER
calls, AT_ONCE at a time, each of which hangs up when it is connected, and prints how long it took
until the last was connected. `through` is `hold` for one call alone, whose packets also go to the
network behind the gateway.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from ipaddress import IPv4Address

from gateway.dataplane import native, tun
from gateway.dataplane.carrier import CLIENT, GATEWAY
from gateway.dataplane.flow import Flow
from gateway.dataplane.plane import Plane
from gateway.dataplane.reactor import Reactor
from gateway.ppp.config import ClientConfig
from gateway.sstp.protocol.events import Connected, Ended
from lab.clients.sstp_call import DialEvent, SstpCall, Target
from lab.clients.sstp_python import tls_context
from tests.bench.sstp_gateway import NETWORK, OWN, PASSWORD, USER

AT_ONCE = 16
MTU = 1400
TABLE = 1000


class Load:
    """Calls on one loop; never more than AT_ONCE being made."""

    def __init__(self, reactor: Reactor, target: Target, number: int) -> None:
        self.reactor = reactor
        self.target = target
        self.left = number
        self.making = 0
        self.connected = 0
        self.failures: list[str] = []
        self.addresses: list[str] = []
        self.compiled = native.load()
        self.user = ClientConfig(USER, PASSWORD, methods=("MS-CHAPv2",))

    def more(self) -> None:
        """Begin as many as may be made at one time."""
        while self.left and self.making < AT_ONCE:
            self.left -= 1
            self.making += 1
            _Call(self).dial()
        if not self.making and not self.left:
            self.reactor.stop()


class _Call:
    """One call; `rate` lets it go, `hold` gives it a TUN."""

    hold = False
    through = False

    def __init__(self, load: Load) -> None:
        self.load = load
        self.up = False
        self.call = SstpCall(load.reactor, load.target, load.user, self.on, done=self.done)

    def dial(self) -> None:
        self.call.dial()

    def on(self, event: DialEvent) -> None:
        load = self.load
        if isinstance(event, Connected):
            self.up = True
            load.connected += 1
            action = partial(self.carry, event.address) if self.hold else self.hang_up
            load.reactor.call_at(0.0, action)
            load.reactor.call_at(0.0, self.made)
        elif isinstance(event, Ended) and not self.up:
            load.failures.append(event.why)

    def hang_up(self) -> None:
        self.call.hang_up("enough")

    def done(self) -> None:
        if not self.up:
            self.made()

    def made(self) -> None:
        self.load.making -= 1
        self.load.more()

    def carry(self, address: IPv4Address) -> None:
        """A TUN; its only other end is the gateway, but for `through`."""
        load = self.load
        number = len(load.addresses)
        load.addresses.append(str(address))
        connection, call = self.call.hand_over()
        device = f"c{number}"
        descriptor = tun.open_tun(device, vnet_hdr=load.compiled is not None)
        configure(device, str(address), TABLE + number)
        side, key = (CLIENT, address) if self.through else (GATEWAY, IPv4Address(OWN))
        plane = Plane(descriptor, load.compiled, load.reactor, MTU, side=side)

        def control(packet: bytes) -> None:
            call.receive(packet, time.monotonic())
            flow.send_control(call.outgoing())

        flow = Flow(
            connection,
            address=key,
            ip_header=call.ip_header,
            peer_mru=call.peer_mru,
            control=control,
            closed=lambda why: sys.exit(f"a call ended: {why}"),
            received=call.rest(),
        )
        plane.add(flow)


def configure(device: str, address: str, table: int) -> None:
    """Packets from this address go into this device."""
    batch = (
        f"address add {address}/32 dev {device}\n"
        f"link set {device} mtu {MTU} txqueuelen 1000 up\n"
        f"route add {OWN}/32 dev {device} table {table}\n"
        f"route add {NETWORK} dev {device} table {table}\n"
    )
    for family, text in (("-4", batch), ("-4", f"rule add from {address} lookup {table}\n")):
        subprocess.run(["ip", family, "-batch", "-"], input=text.encode(), check=True)


def main(mode: str, number: str, server: str, name: str, root: str) -> None:
    """See the module."""
    with Reactor() as reactor:
        load = Load(reactor, Target(name, server, tls_context(root)), int(number))
        _Call.hold, _Call.through = mode != "rate", mode == "through"
        began = time.monotonic()
        load.more()
        reactor.run()
        if load.failures:
            sys.exit(f"{len(load.failures)} calls failed, the first: {load.failures[0]}")
        seconds = time.monotonic() - began
        print(json.dumps({"calls": load.connected, "seconds": seconds,
                          "addresses": load.addresses}), flush=True)  # fmt: skip
        if _Call.hold:
            reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
