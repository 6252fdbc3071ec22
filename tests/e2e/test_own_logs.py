"""What squid and FreeRADIUS write into files of their own is kept small, and still read."""

from __future__ import annotations

from pathlib import Path

from gateway.common.rotation import rotate
from lab.runtime.lab import Lab
from tests.rigs.whole_lab import in_a_lab

WORLD = """\
name: own-logs
story: Alice types a wrong password behind a proxy, time and again.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    hosts: {app1: {subnet: app, serves: [http]}}
gateways:
  gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [SSTP]
        vpnAuthenticationTypes: [Radius]
        radiusServerAddress: 192.168.50.10
        radiusServerSecret: lab-secret
sites:
  office:
    lan: 192.168.50.0/24
    connection: {to: gw, sharedKey: lab-psk}
    radius: {address: 192.168.50.10, users: {alice: {password: "Correct-Horse-1"}}}
access: {hotel: {nat: true, proxy: {port: 3128, allow: [443]}}}
clients:
  alice: {os: windows10, behind: hotel, user: alice, password: Old-Horse-9, sstpClient: python}
expect:
  - {tunnel: office, is: Connected}
  - {refused: alice, over: SSTP, because: password}
"""


def test_logs_in_nodes_are_rotated_and_their_writers_go_on(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        tunnel, refused = lab.plan.steps
        assert await lab.run([tunnel, refused], lambda _: None)
        logs = [path for path in lab.own_logs() if path.exists() and path.stat().st_size]
        names = {path.name for path in logs}
        assert {"refusals", "access.log", "requests.log", "cache.log"} == names
        for path in logs:
            assert rotate(path, 0)
        assert await lab.run([refused], lambda _: None)
        for path in logs:
            text = path.read_bytes()
            assert b"\0" not in text  # they append, and do not go on where they were
            assert text or path.name == "cache.log"

    in_a_lab(tmp_path, WORLD, test)
