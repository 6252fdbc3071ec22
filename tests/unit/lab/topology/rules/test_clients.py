"""`tls:` of a client has effect, or is refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.topology.load import LoadError, load_bytes

TOPOLOGY = """
name: tls
story: Old computers.
vnets:
  v:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27}
gateways:
  gw:
    vnet: v
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [PROTOCOLS]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: 192.168.50.10
        radiusServerSecret: lab-secret
sites:
  office:
    lan: 192.168.50.0/24
    connection: {to: gw, sharedKey: lab-psk}
    radius: {address: 192.168.50.10, users: {alice: {password: secret}}}
access: {home: {}}
clients:
  alice: {os: windows10, behind: home, user: alice, OPTIONS}
"""
RC4 = "tls: {ciphers: [TLS_RSA_WITH_RC4_128_SHA]}"
SHA = "tls: {ciphers: [TLS_RSA_WITH_AES_128_CBC_SHA]}"
NOT_SSTPC = "sstpc chooses its cipher suites itself"
NOT_CHARON = (
    "'alice' cannot offer TLS_RSA_WITH_RC4_128_SHA over IkeV2: current libraries have no such "
    "cipher suite"
)


@pytest.mark.parametrize(
    ("protocols", "options", "problems"),
    [
        ("SSTP", RC4, [NOT_SSTPC]),
        ("SSTP", f"sstpClient: python, {RC4}", []),
        ("IkeV2, SSTP", f"sstpClient: python, {RC4}", [NOT_CHARON]),
        ("IkeV2, SSTP", f"sstpClient: python, protocols: [SSTP], {RC4}", []),
        ("IkeV2, SSTP", f"sstpClient: python, {SHA}", []),
        ("IkeV2", SHA, []),
        (
            "IkeV2",
            f"protocols: [IkeV2], {SHA}",
            ["'alice' dials IkeV2 with a password, which needs no TLS, so tls has no effect"],
        ),
    ],
)
def test_limits_of_tls_have_effect_or_are_refused(
    protocols: str, options: str, problems: list[str]
) -> None:
    assert said(TOPOLOGY.replace("PROTOCOLS", protocols).replace("OPTIONS", options)) == problems


def said(text: str) -> list[str]:
    try:
        load_bytes(text.encode(), "t.yaml", Path())
    except LoadError as error:
        return [problem.message for problem in error.problems]
    return []
