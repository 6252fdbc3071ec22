"""A small valid topology, and a function that spoils it at a place that the test marks."""

from __future__ import annotations

from pathlib import Path

from lab.topology.load import load_bytes
from lab.topology.model.topology import Topology
from lab.topology.reading.problems import LoadError

SOURCE = Path(__file__).parents[4]
TOPOLOGIES = sorted((SOURCE / "topologies").glob("*.yaml"))

SOUND = """\
name: office
story: Somebody connects.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts:
      app1: {subnet: app, serves: [http]}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2, OpenVPN]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {name: r, properties: {publicCertData: "${contoso-root.publicCertData}"}}
pki:
  contoso-root: {}
access:
  home: {lan: 192.168.1.0/24}
clients:
  alice: {os: windows10, behind: home, certificate: {issuer: contoso-root}}
expect:
  - {connects: alice, over: IkeV2}
  - {reaches: alice, host: app1, port: 80}
"""

HERE = "«"
"""Marks, in a spoiled part, where the problem is; it is not part of the text."""


def check(text: str, base: Path = SOURCE) -> Topology:
    return load_bytes(text.encode(), "t.yaml", base)


def problems(text: str, base: Path = SOURCE) -> list[tuple[int, int, str]]:
    """Line, column and words of everything that is wrong with a text."""
    try:
        check(text, base)
    except LoadError as error:
        return [
            (problem.line, problem.column, f"{problem.message}; {problem.remedy}")
            for problem in error.problems
        ]
    return []


def spoil(*changes: tuple[str, str], text: str = SOUND) -> tuple[str, list[tuple[int, int]]]:
    """The sound text with parts replaced, and line and column of every mark, in order."""
    for part, other in changes:
        assert text.count(part) == 1, part
        text = text.replace(part, other)
    places = []
    while HERE in text:
        before, _, after = text.partition(HERE)
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        text = before + after
    return text, places


RADIUS = """\
name: office
story: Somebody signs in.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts:
      app1: {subnet: app, serves: [http]}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2, SSTP]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: 192.168.50.10
        radiusServerSecret: "key of gateway and server"
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {to: contoso-gw, sharedKey: "key of gateway and site"}
    radius: {address: 192.168.50.10, group: vpn, secondFactor: {approved: 4, denied: [bob]}}
    directory:
      address: 192.168.50.5
      users:
        alice: {password: "Spring.2019", groups: [vpn]}
        bob: {password: "Summer.2019", groups: [vpn]}
pki:
  contoso-root: {}
access:
  home: {lan: 192.168.1.0/24}
clients:
  alice: {os: windows10, behind: home, user: alice}
expect:
  - {connects: alice, over: IkeV2}
  - {reaches: alice, host: app1, port: 80}
"""
"""Another sound topology: passwords, checked by a RADIUS server and a directory."""
