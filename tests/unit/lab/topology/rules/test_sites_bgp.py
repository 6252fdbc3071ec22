"""Sites with BGP that cannot be as the file has them."""

from __future__ import annotations

import pytest

from tests.unit.lab.topology.spoiling import SOURCE, problems

TEXT = (SOURCE / "topologies/bgp.yaml").read_text()
CONNECTION = 'connection: {to: contoso-gw, sharedKey: "key between gateway and site"}'


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{asn: 65010}", "{asn: 65515}", "Azure reserves the ASN 65515"),
        ("{asn: 65010}", "{asn: 64500}", "IANA reserves the ASN 64500"),
        ("{asn: 65515}", "{asn: 65010}", "contoso-gw has the same ASN 65010"),
        ("enableBgp: true", "enableBgp: false", "contoso-gw has no BGP"),
        (
            CONNECTION,
            CONNECTION[:-1] + ", localNetworkGateway: {addressPrefixes: [192.168.50.8/29]}}",
            "the device's BGP address 192.168.50.1 is in none of them",
        ),
        (
            CONNECTION,
            CONNECTION[:-1] + ", localNetworkGateway: {bgpSettings: {asn: 65515}}}",
            "Azure reserves the ASN 65515",
        ),
        (
            CONNECTION,
            CONNECTION[:-1] + ", localNetworkGateway: {bgpSettings: {bgpPeeringAddress: "
            "192.168.50.9}, addressPrefixes: [192.168.50.1/32]}}",
            "the device's BGP address 192.168.50.9 is in none of them",
        ),
        (
            "    bgp: {asn: 65010}\n    " + CONNECTION,
            "    " + CONNECTION[:-1] + ", localNetworkGateway: {bgpSettings: {asn: 65011}}}",
            "'head-office' has no BGP",
        ),
        ("sku: {name: VpnGw1}", "sku: {name: Basic}", "the Basic SKU does not support BGP"),
        ("    bgp: {asn: 65010}\n", "", "the site 'head-office' has no BGP"),
    ],
)
def test_bgp_needs_two_ends(old: str, new: str, words: str) -> None:
    assert old in TEXT
    assert any(words in said for *_, said in problems(TEXT.replace(old, new, 1)))


def test_the_topology_is_sound() -> None:
    assert problems(TEXT) == []
