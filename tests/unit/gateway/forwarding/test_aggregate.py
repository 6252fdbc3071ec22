"""The aggregate throughput: the rules, and what the gateway asks for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.arm.placement import Placement
from gateway.forwarding.aggregate import Aggregate, AggregateReport, rules
from gateway.forwarding.reach import Attachment, Reach
from gateway.policy.refusals import BoundedLog
from gateway.reconcile import Gateway
from tests.rigs.fences import RecordingFence
from tests.rigs.tun_router import PLACEMENT

USERSPACE = Attachment(
    IPv4Address("203.0.113.2"), IPv4Address("10.1.255.4"), "wan", "lan", userspace=True
)
REACH = Reach(pool=(IPv4Network("172.16.0.0/24"),), sites=(IPv4Network("192.168.50.0/24"),))


def lines(attachment: Attachment, reach: Reach, *devices: str) -> list[str]:
    """The rules that forward."""
    found = (line.strip() for line in rules(attachment, reach, devices).splitlines())
    return [line for line in found if "fwd" in line]


def test_what_leaves_a_tunnel_and_what_the_vnet_sends_to_one_is_forwarded() -> None:
    assert lines(USERSPACE, REACH, "lan", "ipsec0", "sstp0") == [
        'iifname "lan" ip daddr { 172.16.0.0/24, 192.168.50.0/24 } fwd to "aggregate"',
        'iifname "ipsec0" fwd to "aggregate"',
        'iifname "sstp0" fwd to "aggregate"',
    ]


def test_with_esp_in_the_kernel_only_decrypted_packets_of_the_public_interface_are() -> None:
    kernel = replace(USERSPACE, userspace=False)
    assert lines(kernel, Reach(), "lan", "wan") == [
        'iifname "wan" meta secpath exists fwd to "aggregate"'
    ]


def test_a_device_that_is_not_there_is_not_named() -> None:
    assert 'devices = { "lan" }' in rules(USERSPACE, REACH, ("lan",))
    assert "ipsec0" not in rules(USERSPACE, REACH, ("lan",))


class Recording(Aggregate):
    """What was asked of it."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.reach = Reach()

    def limit(self, mbps: float, reach: Reach) -> None:
        self.asked.append(mbps)
        self.reach = reach

    def report(self) -> AggregateReport:
        return AggregateReport(self.asked[-1], in_force=True)

    def close(self) -> None:
        self.asked.append(0)


@pytest.mark.parametrize(("scale", "rates"), [(1.0, [650, 1250]), (0.1, [65, 125])])
def test_the_gateway_asks_for_its_skus_part(
    tmp_path: Path, scale: float, rates: list[float]
) -> None:
    aggregate = Recording()
    placement = Placement.model_validate(PLACEMENT.model_dump() | {"benchmarkScale": scale})
    gateway = Gateway(placement, tmp_path, BoundedLog(), RecordingFence(), aggregate)

    async def run() -> None:
        for sku in ("VpnGw1", "VpnGw3"):
            await gateway.put({"name": "gw", "properties": {"sku": {"name": sku}}})
        assert gateway.aggregate()["mbps"] == pytest.approx(rates[-1])
        await gateway.stop()

    asyncio.run(run())
    assert sorted(set(aggregate.asked)) == pytest.approx([0, *rates])


@pytest.mark.parametrize("scale", [0, -1, 1.01, "x"])
def test_a_scale_that_is_none_is_refused(scale: Any) -> None:
    with pytest.raises(ValidationError):
        Placement.model_validate(PLACEMENT.model_dump() | {"benchmarkScale": scale})
