"""Access networks with a rate and loss: what passes the line, and what does not."""

from __future__ import annotations

import re
from pathlib import Path

from lab.runtime.lab import Lab
from tests.rigs.whole_lab import in_a_lab

TOPOLOGY = """\
name: lines
story: Lines of different quality.
vnets:
  contoso: {{addressSpace: [10.1.0.0/16], subnets: {{GatewaySubnet: 10.1.255.0/27}}}}
gateways:
  gw: {{vnet: contoso, properties: {{sku: {{name: VpnGw1}}}}}}
access:
  home: {{{home}}}
clients:
  alice: {{os: linux, behind: home}}
  bob: {{os: linux, behind: home}}
expect:
  - {{throughput: alice, host: internet, atMost: 1000}}
"""
SENT = 400
_RECEIVED = re.compile(r"(\d+) received")


async def answered(lab: Lab, source: str, target: str) -> int:
    """How many of the pings."""
    address = lab.addresses[target]
    argv = ["ping", "-n", "-q", "-i", "0.002", "-c", str(SENT), "-W", "1", address]
    done = await lab.nodes[source].run(argv)
    found = _RECEIVED.search(done.stdout)
    assert found, done.output
    return int(found[1])


def test_half_of_the_packets_are_lost_each_way_and_none_in_the_lan(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        # A quarter comes back: 100, and 9 is the standard deviation.
        assert 50 < await answered(lab, "alice", "internet") < 150
        assert await answered(lab, "alice", "bob") == SENT

    in_a_lab(tmp_path, TOPOLOGY.format(home="loss: 50%"), test)


def test_each_way_has_its_rate(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        for device in ("wan", "lan"):
            shown = await lab.nodes["home"].run(["tc", "qdisc", "show", "dev", device])
            assert "tbf" in shown.stdout
            assert "rate 20Mbit" in shown.stdout
        assert await answered(lab, "alice", "internet") == SENT

    in_a_lab(tmp_path, TOPOLOGY.format(home="rate: 20"), test)


def test_without_keys_nothing_is_lost_or_shaped(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        shown = await lab.nodes["home"].run(["tc", "qdisc", "show", "dev", "wan"])
        assert "tbf" not in shown.stdout
        assert await answered(lab, "alice", "internet") == SENT

    in_a_lab(tmp_path, TOPOLOGY.format(home=""), test)
