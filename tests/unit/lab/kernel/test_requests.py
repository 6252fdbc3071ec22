"""Each kind of request equals, byte for byte, the recorded one that the kernel accepted."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from lab.kernel import requests
from lab.kernel.requests import Port, Request

VECTORS: dict[str, str] = json.loads(
    (Path(__file__).parents[3] / "vectors" / "rtnetlink.json").read_text()
)
"""The words of a request to its bytes (little-endian machine): recorded with pyroute2 0.9.7."""

REQUESTS = [
    requests.up(7),
    requests.down(7),
    requests.show(7),
    requests.plug(101, 100),
    requests.bridge("lan", 100),
    requests.bridge("lan2", 100, "02:00:00:00:00:01"),
    requests.veth(Port("wan", 101), Port("p0", 103, 100), 9),
    requests.veth(
        Port("wan2", 101, mac="02:00:00:00:00:01"), Port("p2", 103, mac="02:00:00:00:00:02"), 9
    ),
    requests.veth(Port("p1", 102, 100), Port("eth0", 104), 9, 1400),
    requests.address(101, "192.0.2.1/30"),
    requests.address(101, "2001:db8::1/64"),
    requests.route("default", "192.0.2.2"),
    requests.route("10.9.0.0/16", "192.0.2.2"),
    requests.route("2001:db8:1::/48", "2001:db8::2"),
    requests.route("default", "2001:db8::2"),
    requests.neighbour(101, "192.0.2.2", "02:00:00:00:00:01"),
    requests.neighbour(101, "2001:db8::2", "02:00:00:00:00:01"),
    requests.rename(7, "wan"),
    requests.size(7, 1400),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.command)
def test_a_request_is_encoded_as_recorded(request_: Request) -> None:
    assert request_.data.hex() == VECTORS[request_.command]


def test_every_recorded_vector_is_compared() -> None:
    assert {request.command for request in REQUESTS} == set(VECTORS)


def test_a_request_tells_its_own_length() -> None:
    for request in REQUESTS:
        assert struct.unpack_from("=I", request.data) == (len(request.data),)


@pytest.mark.parametrize(("flags", "runs"), [(0x1043, True), (0x1003, False)])
def test_a_link_runs_when_the_kernel_says_so(flags: int, runs: bool) -> None:
    answer = struct.pack("=IHHII", 32, 16, 0, 0, 0) + struct.pack("=BxHiII", 0, 1, 7, flags, 0)
    assert requests.is_running(answer) is runs
