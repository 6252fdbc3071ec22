"""What a SKU's size allows, with traffic: tunnels beside clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.runtime.lab import Lab
from lab.runtime.protocol import StepResult
from lab.topology.model.steps import Steps
from tests.rigs.patience import PATIENCE
from tests.rigs.whole_lab import in_a_lab

TOPOLOGY = """
name: tunnels
story: A gateway has as many tunnels as its size allows, and a client.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app, serves: [http]}}}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {{name: {sku}}}
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [{protocol}]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: r, properties: {{publicCertData: "${{contoso-root.publicCertData}}"}}}}
pki: {{contoso-root: {{}}}}
access: {{home: {{}}}}
clients:
  alice: {{os: {os}, behind: home, sstpClient: python, certificate: {{issuer: contoso-root}}}}
sites:
{sites}
"""
SITE = """  s{n}:
    lan: 192.168.{n}.0/24
    connection: {{to: contoso-gw, sharedKey: "key of site {n}"}}
    hosts: {{till{n}: {{serves: [http]}}}}
"""


@pytest.mark.parametrize(
    ("sku", "tunnels", "protocol", "os"),
    [("Basic", 10, "SSTP", "windows7"), ("VpnGw1", 30, "IkeV2", "windows10")],
)
def test_all_tunnels_of_a_size_carry_traffic_beside_a_client(
    tmp_path: Path, sku: str, tunnels: int, protocol: str, os: str
) -> None:
    numbers = range(100, 100 + tunnels)
    text = TOPOLOGY.format(
        sku=sku, protocol=protocol, os=os, sites="".join(SITE.format(n=n) for n in numbers)
    )
    steps: list[dict[str, Any]] = [
        {"connects": "alice", "over": protocol},
        *({"tunnel": f"s{n}", "is": "Connected", "within": PATIENCE} for n in numbers),
        *({"reaches": f"till{n}", "host": "app1", "port": 80} for n in numbers),
        *({"reaches": "app1", "host": f"till{n}", "port": 80} for n in numbers),
        {"reaches": "alice", "host": "app1", "port": 80},
        *({"tunnel": f"s{n}", "is": "Connected"} for n in numbers),
    ]

    async def test(lab: Lab) -> None:
        told: list[StepResult] = []

        def emit(event: object) -> None:
            if isinstance(event, StepResult):
                told.append(event)

        await lab.run(Steps.validate_python(steps), emit)
        assert [(row.text, row.detail) for row in told if not row.held] == []
        assert len(told) == len(steps)

    in_a_lab(tmp_path, text, test)
