"""Queueing disciplines as rtnetlink requests. Source: linux/rtnetlink.h, linux/pkt_sched.h."""

from __future__ import annotations

import struct

from lab.kernel.encoding import attribute, message
from lab.kernel.requests import ADD, Request

RTM_NEWQDISC = 36
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS, TCA_NETEM_LATENCY64 = 1, 2, 10
QUEUE = 1000
"""The maximum of delayed packets, netem's default."""


def delay(index: int, seconds: float) -> Request:
    """Delay every packet that leaves through a link (netem)."""
    settings = struct.pack("=6I", 0, QUEUE, 0, 0, 0, 0)  # struct tc_netem_qopt
    latency = attribute(TCA_NETEM_LATENCY64, struct.pack("=q", round(seconds * 1e9)))
    body = struct.pack("=B3xiIII", 0, index, 0, TC_H_ROOT, 0)  # struct tcmsg
    body += attribute(TCA_KIND, b"netem\0") + attribute(TCA_OPTIONS, settings + latency)
    command = f"qdisc add dev index {index} root netem delay {seconds * 1000:g}ms"
    return Request(command, message(RTM_NEWQDISC, ADD, body))
