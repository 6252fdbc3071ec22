"""The SKU's aggregate throughput: one token bucket for every packet of every tunnel.

Seed, table of SKUs: "The Aggregate Throughput Benchmark for a VPN Gateway is S2S + P2S combined."
Each packet is counted once, where it enters the gateway: out of a tunnel, or from the VNet to a
client or a site. There a netdev chain of nftables forwards it to an ifb device, whose queue (tbf)
has the rate; then it goes on as if it had just arrived. What is counted is IP packets inside the
tunnels, both directions together; Azure does not document which layer its figure counts.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.charon import datapath
from gateway.common.nft import Nft, NftError
from gateway.common.traffic_control import Links, news_of_links
from gateway.forwarding.reach import Attachment, Reach, any_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.arm.placement import Placement

TABLE = "netdev p2slab_aggregate"
DEVICE = "aggregate"
NEEDS = "ifb, sch_tbf, nf_tables with the family netdev and nft_fwd_netdev"


@dataclass(frozen=True)
class AggregateReport:
    """The rate, and whether it is in force."""

    mbps: float
    in_force: bool
    why: str = ""
    """Why it is not."""

    def document(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {"mbps": self.mbps, "inForce": self.in_force, "why": self.why}


class Aggregate:
    """The limit in the kernel. Create it in the network namespace that it is for.

    It decides nothing about who may pass, so that a gateway whose kernel cannot do it serves
    without, and says so in its report.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._attachment: Attachment | None = None
        self._links: Links | None = None
        self._nft: Nft | None = None
        self._device = 0
        self._news: socket.socket | None = None
        self._reach = Reach()
        self._devices: dict[str, int] = {}
        """Those in the table: a device that comes back has another index."""
        self._report = AggregateReport(0.0, in_force=False, why="the gateway has no document yet")

    def report(self) -> AggregateReport:
        """The state."""
        return self._report

    def limit(self, mbps: float, reach: Reach) -> None:
        """Let this many Mbit/s pass from now on, between these prefixes and the tunnels."""
        self._reach = reach
        try:
            links = self._links = self._links or Links()
            self._device = self._device or links.add_ifb(DEVICE)
            links.limit(self._device, mbps)
            self._lay()
            self._watch()
        except (OSError, NftError) as error:
            self._report = AggregateReport(mbps, in_force=False, why=_why(error))
        else:
            self._report = AggregateReport(mbps, in_force=True)

    def close(self) -> None:
        """Stop following the tunnels' devices; the kernel keeps what it has."""
        if self._news:
            asyncio.get_running_loop().remove_reader(self._news)
            self._news.close()
            self._news = None

    def _lay(self) -> None:
        if self._attachment is None:
            userspace = datapath.find().userspace
            self._attachment = Attachment.of(self._placement, userspace=userspace)
        self._devices = _present(self._attachment)
        self._nft = self._nft or Nft()
        self._nft.run(rules(self._attachment, self._reach, self._devices))

    def _watch(self) -> None:
        """Follow the devices: that of a daemon comes and goes with it."""
        if self._news is None:
            self._news = news_of_links()
            asyncio.get_running_loop().add_reader(self._news, self._hear)

    def _hear(self) -> None:
        assert self._news is not None
        assert self._attachment is not None
        try:
            while self._news.recv(65536):
                pass
        except OSError:
            pass  # no more news; or some is lost (ENOBUFS), and its content is not used
        if self._devices != _present(self._attachment):
            try:
                self._lay()
            except (OSError, NftError) as error:
                self._report = AggregateReport(self._report.mbps, in_force=False, why=_why(error))
            else:
                self._report = AggregateReport(self._report.mbps, in_force=True)


def rules(attachment: Attachment, reach: Reach, devices: Collection[str]) -> str:
    """nft commands, as one transaction: the table with a chain at these devices. Pure."""
    names = ", ".join(f'"{name}"' for name in devices)
    forward = f'fwd to "{DEVICE}"'
    tunnelled = any_of((*reach.pool, *reach.sites))
    lines = [f'iifname "{attachment.inside}" ip daddr {tunnelled} {forward}'] if tunnelled else []
    for name in devices:
        if name == attachment.outside:  # IPsec in the kernel: its packets arrive twice
            lines.append(f'iifname "{name}" meta secpath exists {forward}')
        elif name != attachment.inside:
            lines.append(f'iifname "{name}" {forward}')
    body = "\n    ".join(lines)
    return f"""
add table {TABLE}
delete table {TABLE}
table {TABLE} {{
  chain entering {{
    type filter hook ingress devices = {{ {names} }} priority 0; policy accept;
    {body}
  }}
}}
"""


def _present(attachment: Attachment) -> dict[str, int]:
    """The devices by which packets of tunnels and of the VNet arrive, as far as there are any, and
    their indexes."""
    wanted = (attachment.inside, *attachment.interfaces.values())
    there = {name: index for index, name in socket.if_nameindex()}
    return {name: there[name] for name in wanted if name in there}


def _why(error: Exception) -> str:
    return f"{error}; the kernel needs {NEEDS}"
