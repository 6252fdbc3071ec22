"""A gateway becomes smaller than the number of those who are connected: they stay, nobody else
comes in, and the explanation says since when. 250 are more than tests/causes can write down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.clients.profile import read_profile
from lab.explain.model import stamp
from lab.runtime.lab import Lab
from lab.runtime.protocol import StepResult
from tests.rigs.crowd import IkeCrowd, people
from tests.rigs.forged import from_credential
from tests.rigs.whole_lab import in_a_lab

SMALL = 250
"""VpnGw1's connections over IKEv2 and OpenVPN."""
AT_ONCE = 8
TOPOLOGY = """
name: resized
story: The operator saves money.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27}
gateways:
  gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw2}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.200.0/22]}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {name: root, properties: {publicCertData: "${root.publicCertData}"}}
pki: {root: {}}
access: {home: {}, office: {}}
clients:
  alice: {os: linux, behind: home, certificate: {issuer: root}}
  many: {os: linux, behind: office, certificate: {issuer: root}}
"""


async def step(lab: Lab, document: dict[str, Any]) -> StepResult:
    """Execute a step of `expect:`."""
    results: list[StepResult] = []

    def keep(event: Any) -> None:
        if isinstance(event, StepResult):
            results.append(event)

    await lab.run(lab.checked([document]), keep)
    (result,) = results
    return result


def test_the_limit_is_told_with_the_new_size_and_since_when(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        users = people(SMALL, from_credential(lab._credentials["root"]))
        crowd = IkeCrowd(lab.nodes["many"], users)
        await crowd.start(read_profile(await lab.clients["many"].profile()))
        assert await crowd.dial(range(SMALL), AT_ONCE) == {}
        assert (await step(lab, {"connects": "alice", "over": "IkeV2"})).held
        assert (await step(lab, {"hangUp": "alice"})).held
        assert (await step(lab, {"update": "gw", "properties": {"sku": {"name": "vpngw1"}}})).held
        (resized,) = (deed for deed in lab.past if deed.verb == "update")
        assert len(await crowd.inside()) == SMALL

        refused = await step(lab, {"connects": "alice", "over": "IkeV2"})
        assert not refused.held
        assert refused.explanation
        assert refused.explanation["layer"] == "limit"
        (chain,) = refused.explanation["chains"]
        (found,) = (row for row in chain["layers"] if row["state"] == "failed")
        assert f"the SKU allows {SMALL} IkeV2 and OpenVPN connections" in found["cause"]
        assert f"VpnGw1 since it was resized from VpnGw2 at {stamp(resized.at)}" in found["cause"]
        assert f"its sessions now: {SMALL} IkeV2" in found["proof"]
        assert any(resized.text in line for line in found["proof"])
        await crowd.stop()

    in_a_lab(tmp_path, TOPOLOGY, test)
