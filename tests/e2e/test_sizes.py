"""What a SKU's size allows, with traffic: tunnels beside clients, and a change of the size."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from lab.clients.profile import read_profile
from lab.runtime.lab import Lab
from lab.runtime.protocol import StepResult
from lab.topology.model.steps import Steps
from tests.bench import radius_labs
from tests.bench.radius_labs import GATEWAY, running
from tests.rigs.crowd import IkeCrowd, people, profile_of
from tests.rigs.forged import from_credential
from tests.rigs.gateway_bench import PRIVATE, Bench, on_a_gateway
from tests.rigs.patience import PATIENCE
from tests.rigs.whole_lab import in_a_lab

pytestmark = pytest.mark.alone

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


def test_a_gateway_is_resized_under_a_crowd(tmp_path: Path) -> None:
    """250 are all that VpnGw1 has; VpnGw2 has room for more; back at VpnGw1 they all stay, and
    nobody else comes in."""
    limit = 250

    async def test(bench: Bench) -> None:
        users = people(limit + 2, from_credential(bench.credentials["root"]))
        document = bench.document("IkeV2", pool="172.16.0.0/16")

        async def resize(name: str) -> None:
            document["properties"]["sku"]["name"] = name
            await bench.gateway.put(document)

        await resize("VpnGw1")
        crowd = IkeCrowd(bench.nodes["pc1"], users)
        await crowd.start(await profile_of(bench))
        assert await crowd.dial(range(limit), 16) == {}
        before = await crowd.inside()
        assert await crowd.dial([limit], 1) != {}
        assert (await bench.records("refused"))[-1]["reason"] == "limit"

        await resize("VpnGw2AZ")
        assert await crowd.dial([limit], 1) == {}

        await resize("VpnGw1")
        assert await crowd.dial([limit + 1], 1) != {}
        last = (await bench.records("refused"))[-1]
        assert (last["reason"], last["message"]) == (
            "limit",
            f"the SKU allows {limit} IkeV2 and OpenVPN connections",
        )
        after = await crowd.inside()
        assert after.items() > before.items()
        assert len(after) == len(await bench.gateway.sessions()) == limit + 1
        await asyncio.gather(
            *(pings(bench, after[number][0]) for number in (0, limit // 2, limit - 1, limit))
        )
        await crowd.stop()

    on_a_gateway(tmp_path, test)


async def pings(bench: Bench, address: str) -> None:
    command = ["ping", "-I", address, "-c", "2", "-i", "0.2", "-W", str(PATIENCE), PRIVATE]
    done = await bench.nodes["pc1"].run(command)
    assert done.code == 0, done


def test_the_size_limits_users_of_radius_too() -> None:
    """The 251st is refused at VpnGw1; at VpnGw2 he comes in."""
    limit, more = 250, 3
    with running(radius_labs.crowd(limit + more)) as lab:
        node = "load-ike"
        profile = read_profile(b64decode(lab.handle.operate(GATEWAY, "profile")["value"]))
        lab.handle.exec(
            node, ["sh", "-c", "cat > /run/root.pem"], input=profile.server_root.decode()
        )

        def dial() -> dict[str, Any]:
            argv = [sys.executable, "-m", "tests.bench.radius_load", "ike", str(limit + more)]
            done = lab.handle.exec(node, [*argv, profile.server, "/run/root.pem"], limit=PATIENCE)
            told: dict[str, Any] = json.loads(done.stdout)
            return told

        first = dial()
        assert (first["in"], len(first["failures"])) == (limit, more), first["failures"][:5]
        log = lab.handle.operate(GATEWAY, "log")["value"]
        reasons = [row["reason"] for row in log if row["event"] == "refused"]
        assert reasons == ["limit"] * more
        lab.steps({"update": GATEWAY, "properties": {"sku": {"name": "VpnGw3"}}})
        assert dial()["failures"] == []
