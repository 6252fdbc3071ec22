"""Queueing disciplines as rtnetlink requests. Source: linux/rtnetlink.h, linux/pkt_sched.h."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from gateway.common.traffic_control import ROOT, tbf
from lab.kernel.encoding import attribute, message
from lab.kernel.requests import ADD, Request

RTM_NEWQDISC = 36
FIRST, ITS_CLASS = 0x10000, 0x10001
"""The handle 1:, and the one class of its queueing discipline, 1:1."""
TCA_KIND, TCA_OPTIONS, TCA_NETEM_LATENCY64 = 1, 2, 10
QUEUE = 1000
"""The maximum of delayed packets, netem's default."""


def delay(index: int, seconds: float) -> Request:
    """Delay every packet that leaves through a link (netem)."""
    settings = struct.pack("=6I", 0, QUEUE, 0, 0, 0, 0)  # struct tc_netem_qopt
    latency = attribute(TCA_NETEM_LATENCY64, struct.pack("=q", round(seconds * 1e9)))
    body = struct.pack("=B3xiIII", 0, index, FIRST, ROOT, 0)  # struct tcmsg
    body += attribute(TCA_KIND, b"netem\0") + attribute(TCA_OPTIONS, settings + latency)
    command = f"qdisc add dev index {index} root handle 1: netem delay {seconds * 1000:g}ms"
    return Request(command, message(RTM_NEWQDISC, ADD, body))


def rate(index: int, mbps: float, parent: int = ROOT) -> Request:
    """Send at most this many Mbit/s through a link (tbf)."""
    where = "root" if parent == ROOT else "parent 1:1"
    command = f"qdisc add dev index {index} {where} tbf rate {mbps:g}mbit"
    return Request(command, message(*tbf(index, mbps, parent=parent)))


def line(index: int, mbps: float | None, latency: float | None) -> Iterator[Request]:
    """Both, as far as they are given."""
    if latency is not None:
        yield delay(index, latency)
    if mbps is not None:
        yield rate(index, mbps, ROOT if latency is None else ITS_CLASS)
