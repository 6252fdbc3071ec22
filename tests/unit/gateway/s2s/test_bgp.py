"""What a gateway tells BGP peers, and what it takes from them."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from gateway.common.errors import EngineError
from gateway.s2s import bgp
from gateway.s2s.bgp import Peer, Settings, acceptable, configuration

OWN = tuple(map(IPv4Network, ("10.1.0.0/16", "172.16.201.0/24", "192.168.60.1/32")))


@pytest.mark.parametrize(
    ("prefix", "taken"),
    [
        ("192.168.50.0/24", True),
        ("10.2.0.0/16", True),
        ("10.1.1.0/24", False),  # in the VNet
        ("10.0.0.0/8", False),  # around it
        ("172.16.201.128/25", False),  # clients
        ("192.168.60.0/24", False),  # another site's
        ("0.0.0.0/0", False),
        ("0.0.0.0/1", False),
        ("203.0.113.0/24", False),  # the Internet
        ("127.0.0.0/8", False),
        ("224.0.0.0/4", False),
    ],
)
def test_a_site_takes_nothing_that_is_not_its_own(prefix: str, *, taken: bool) -> None:
    network = IPv4Network(prefix)
    assert acceptable([network], OWN) == ((network,) if taken else ())


def test_bird_announces_the_vnet_and_clients_to_every_peer() -> None:
    peers = (
        Peer("hq", IPv4Address("192.168.50.1"), 65010),
        Peer("lab", IPv4Address("192.168.60.1"), 65020),
    )
    text = configuration(Settings(IPv4Address("10.1.255.30"), 65515, OWN[:2], peers))
    assert "local 10.1.255.30 as 65515;" in text
    assert "route 10.1.0.0/16 blackhole;" in text
    assert "route 172.16.201.0/24 blackhole;" in text
    assert "protocol bgp at_192_168_50_1 from site { neighbor 192.168.50.1 as 65010; }" in text
    assert "protocol bgp at_192_168_60_1 from site { neighbor 192.168.60.1 as 65020; }" in text


def test_what_is_guarded_may_be_many_and_in_any_order() -> None:
    guarded = [IPv4Network((0x0A020000 + (i << 8), 24)) for i in reversed(range(0, 400, 2))]
    between = [IPv4Network((0x0A020000 + (i << 8), 24)) for i in range(1, 400, 2)]
    wide = IPv4Network("10.2.2.0/23")
    assert acceptable([*guarded, *between, wide], guarded) == tuple(between)


@pytest.mark.parametrize("error", [EngineError("charon does not answer"), ValueError("our fault")])
async def test_what_could_not_be_put_in_force_is_tried_again(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = frozenset({IPv4Network("192.168.50.0/24")})
    told: list[frozenset[IPv4Network]] = []
    done = asyncio.Event()

    async def changed() -> None:
        told.append(speaker.learnt("office"))
        if len(told) == 1:
            raise error
        done.set()

    async def look() -> tuple[dict[str, frozenset[IPv4Network]], dict[str, str]]:
        return {"office": learnt}, {"office": "Connected"}

    speaker = bgp.Speaker(tmp_path, changed)
    monkeypatch.setattr(speaker, "_look", look)
    monkeypatch.setattr(bgp, "LOOK_INTERVAL", 0)
    looking = asyncio.create_task(speaker._keep_looking())
    async with asyncio.timeout(5):
        await done.wait()
    looking.cancel()
    assert told == [learnt, learnt]
