"""What the two ends of a site's tunnel are told of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.explain.selectors import Ends, outside, wrong_peer

ENDS = Ends(
    "office",
    "gw",
    prefixes=("192.168.50.0/24",),
    peer="198.51.100.2",
    device_addresses=("198.51.100.2",),
    gateway_addresses=("203.0.113.2",),
    device_peers=("203.0.113.2",),
    local=("192.168.50.0/24",),
    remote=("0.0.0.0/0",),
    agreed=("192.168.50.0/24 === 10.1.0.0/16", "192.168.50.0/24 === 172.16.201.0/24"),
)
APP, CLIENT, FILES = "10.1.1.4", "172.16.201.1", "192.168.50.10"


def test_ends_that_fit() -> None:
    assert wrong_peer(ENDS) is None
    assert outside(ENDS, APP, FILES) is None
    assert outside(ENDS, CLIENT, FILES) is None
    assert outside(replace(ENDS, agreed=()), APP, FILES) is None


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (replace(ENDS, peer="198.51.100.200"), "gatewayIpAddress of the local network gateway"),
        (replace(ENDS, device_peers=("203.0.113.250",)), "is set up for the peer 203.0.113.250"),
    ],
)
def test_the_two_addresses_stand_side_by_side(ends: Ends, words: str) -> None:
    found = wrong_peer(ends)
    assert found
    assert found.layer == "s2s"
    assert words in found.cause
    assert len(found.proof) == 2


def test_a_prefix_that_azure_is_not_told() -> None:
    found = outside(replace(ENDS, prefixes=("192.168.50.128/25",)), APP, FILES)
    assert found
    assert found.layer == "route"
    assert "192.168.50.10 is not in addressPrefixes" in found.cause


@pytest.mark.parametrize(
    ("agreed", "near"),
    [
        ("192.168.50.64/26 === 10.1.0.0/16", APP),
        ("192.168.50.0/24 === 10.1.0.0/16", CLIENT),
        ("10.1.0.0/16 === 192.168.50.0/24", APP),
    ],
)
def test_selectors_that_do_not_have_both_addresses(agreed: str, near: str) -> None:
    found = outside(replace(ENDS, agreed=(agreed,)), near, FILES)
    assert found
    assert found.layer == "s2s"
    assert agreed in found.cause
