"""Passwords that a program of the lab cannot take are refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.topology.load import LoadError, load_bytes

TOPOLOGY = """
name: passwords
story: Passwords of every kind.
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
        vpnClientProtocols: [IkeV2, SSTP]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: 192.168.50.10
        radiusServerSecret: lab-secret
sites:
  office:
    lan: 192.168.50.0/24
    connection: {to: gw, sharedKey: lab-psk}
    radius: {address: 192.168.50.10, users: {alice: {password: "KNOWN"}}}
    DIRECTORY
access: {home: {}}
clients:
  alice: {os: windows10, behind: home, user: alice, OPTIONS}
"""


def said(known: str, options: str = "", directory: str = "") -> list[str]:
    text = TOPOLOGY.replace("KNOWN", known).replace(", OPTIONS", options)
    try:
        load_bytes(text.replace("DIRECTORY", directory).encode(), "t.yaml", Path())
    except LoadError as error:
        return [problem.message for problem in error.problems]
    return []


KINDS = "Active Directory refuses the password: its characters are of fewer than 3 kinds"
PPPD = "sstpc's pppd knows no such password: it takes at most 255 characters, all of Latin-1"


@pytest.mark.parametrize("password", ["Pässwörd ÿ", "y" * 255])
def test_what_pppd_knows_is_typed_with_sstpc(password: str) -> None:
    assert said(password) == []


@pytest.mark.parametrize("password", ["snow ☃", "пароль", "y" * 256, "€"])
def test_what_pppd_does_not_know_needs_another_client(password: str) -> None:
    assert said(password) == [PPPD]
    assert said("x", f', password: "{password}"') == [PPPD]
    for options in (", sstpClient: python", ", protocols: [IkeV2]"):
        assert said(password, options) == []


def test_a_gateway_without_sstp_asks_no_pppd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TOPOLOGY", TOPOLOGY.replace("[IkeV2, SSTP]", "[IkeV2]"))
    assert said("snow ☃") == []


@pytest.mark.parametrize(("password", "refused"), [("Secret1", False), ("secret12", True)])
def test_a_directory_refuses_simple_passwords(password: str, refused: bool) -> None:
    users = f'{{carol: {{password: "{password}"}}}}'
    directory = f"directory: {{address: 192.168.50.5, users: {users}}}"
    assert said("x", "", directory) == [KINDS] * refused
