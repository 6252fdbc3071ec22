"""Rules about ASNs and peers."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.arm.connections import LocalNetworkGateway
from gateway.arm.resource import BgpSettings, VirtualNetworkGateway
from gateway.arm.rules.bgp import DEFAULT_ASN, ends_have_bgp, usable_asn, usable_peer

BGP = {"asn": 65010, "bgpPeeringAddress": "192.168.50.1"}


def local(settings: dict[str, Any] | None) -> LocalNetworkGateway:
    properties = {
        "localNetworkAddressSpace": {"addressPrefixes": ["192.168.50.1/32"]},
        "gatewayIpAddress": "198.51.100.2",
        "bgpSettings": settings,
    }
    return LocalNetworkGateway.model_validate({"name": "hq", "properties": properties})


def gateway(**properties: Any) -> VirtualNetworkGateway:
    data = {"name": "gw", "properties": {"sku": {"name": "VpnGw1"}, **properties}}
    return VirtualNetworkGateway.model_validate(data)


@pytest.mark.parametrize(
    ("asn", "words"),
    [
        (0, "no autonomous system number"),
        (-1, "no autonomous system number"),
        (2**32, "no autonomous system number"),
        (12076, "Azure reserves"),
        (65515, "Azure reserves"),
        (65520, "Azure reserves"),
        (23456, "IANA reserves"),
        (64496, "IANA reserves"),
        (65551, "IANA reserves"),
    ],
)
def test_reserved_numbers_are_refused(asn: int, words: str) -> None:
    [found] = usable_asn(BgpSettings(asn=asn))
    assert words in found.message
    assert found.path == ("bgpSettings", "asn")


@pytest.mark.parametrize("asn", [1, 64512, 65514, 65516, 65521, 65552, 2**32 - 1])
def test_other_numbers_are_taken(asn: int) -> None:
    assert list(usable_asn(BgpSettings(asn=asn))) == []


def test_a_gateway_has_azures_own_number() -> None:
    assert list(usable_asn(BgpSettings(asn=DEFAULT_ASN), DEFAULT_ASN)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"asn": None}, ["no ASN"]),
        ({"bgpPeeringAddress": None}, ["is not an IPv4 address"]),
        ({"bgpPeeringAddress": "192.168.50.2"}, ["in none of the site's prefixes"]),
        ({"bgpPeeringAddress": "198.51.100.2"}, ["public address", "in none of"]),
    ],
)
def test_a_peer_is_inside_the_site(change: dict[str, Any], words: list[str]) -> None:
    found = [violation.message for violation in usable_peer(local(BGP | change))]
    assert len(found) == len(words)
    assert all(word in message for word, message in zip(words, found, strict=True))


def test_both_ends_have_bgp_and_different_numbers() -> None:
    def messages(one: VirtualNetworkGateway, other: LocalNetworkGateway) -> list[str]:
        return [violation.message for violation in ends_have_bgp(one, other)]

    speaks = gateway(enableBgp=True)
    assert messages(speaks, local(BGP)) == []
    assert messages(gateway(), local(BGP)) == ["gw has no BGP"]
    assert messages(speaks, local(None)) == ["hq has no bgpSettings"]
    same = gateway(enableBgp=True, bgpSettings={"asn": 65010})
    assert messages(same, local(BGP)) == ["hq has the gateway's own ASN 65010"]
