"""Queueing disciplines, as a kernel takes them and tc(8) shows them."""

from __future__ import annotations

import struct

from gateway.common.traffic_control import ROOT, tbf
from lab.kernel import tc
from lab.kernel.encoding import HEADER, attributes

TCM = 20
"""Bytes of struct tcmsg."""


def decoded(body: bytes) -> tuple[int, bytes, dict[int, bytes]]:
    """Parent, kind and options."""
    (parent,) = struct.unpack_from("=I", body, 12)
    found = dict(attributes(body, TCM))
    return parent, found[1].rstrip(b"\0"), dict(attributes(found[2], 0))


def test_the_rate_is_in_bytes_and_the_bucket_holds_what_arrives_at_once() -> None:
    _, _, body = tbf(7, 65)
    parent, kind, options = decoded(body)
    assert (parent, kind) == (ROOT, b"tbf")
    assert struct.unpack("=Q", options[4]) == (65_000_000 // 8,)
    assert struct.unpack("=I", options[6])[0] >= 65_536
    limit = struct.unpack_from("=I", options[1], 24)[0]
    assert limit > struct.unpack("=I", options[6])[0]


def test_a_fast_bucket_is_larger() -> None:
    sizes = [struct.unpack("=I", decoded(tbf(7, mbps)[2])[2][6])[0] for mbps in (65, 1250)]
    assert sizes[1] == round(1.25e9 / 8 * 0.0125) > sizes[0]


def test_a_line_with_both_has_its_rate_inside_its_latency() -> None:
    requests = list(tc.line(7, 20, 0.03))
    assert [request.command for request in requests] == [
        "qdisc add dev index 7 root handle 1: netem delay 30ms",
        "qdisc add dev index 7 parent 1:1 tbf rate 20mbit",
    ]
    parents = [decoded(request.data[HEADER.size :])[0] for request in requests]
    assert parents == [ROOT, 0x10001]


def test_a_line_with_neither_is_left_alone() -> None:
    assert list(tc.line(7, None, None)) == []
    assert len(list(tc.line(7, 20, None))) == len(list(tc.line(7, None, 0.03))) == 1
