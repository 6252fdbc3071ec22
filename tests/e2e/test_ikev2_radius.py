"""IKEv2 with RADIUS: real clients, a real FreeRADIUS, in the VNet and behind a tunnel."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from lab.roles.gateway import UnixGateway
from lab.runtime.lab import Lab
from lab.topology.model.steps import Fault, Update
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.e2e.test_site_to_site import becomes
from tests.rigs.patience import PATIENCE
from tests.rigs.whole_lab import in_a_lab

SECRET, PASSWORD = "secret-of-the-lab", "Secret1!"
IN_VNET = "hosts: {nps: {subnet: app, address: 10.1.1.9, radius: {USERS}}}"
USERS = f'users: {{alice: {{password: "{PASSWORD}"}}, bob: {{password: "Secret2!"}}}}'
SITE = """sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {to: contoso-gw, sharedKey: lab-psk, dpdTimeoutSeconds: 9}
    radius: {address: 192.168.50.10, USERS}
"""
TOPOLOGY = """
name: ikev2-radius
story: Passwords are checked by a RADIUS server.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}
    HOSTS
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {name: VpnGw1}
      vpnClientConfiguration:
        vpnClientAddressPool: {addressPrefixes: [172.16.201.0/24]}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Radius]
        SERVERS
SITES
pki:
  corp: {}
access:
  home: {}
clients:
  alice: {os: windows10, behind: home, user: alice}
  bob: {os: macos, behind: home, user: bob}
  mallory: {os: linux, behind: home, user: alice, password: wrong}
"""


def topology(hosts: str = "", sites: str = "", server: str = "192.168.50.10") -> str:
    servers = f"radiusServerAddress: {server}\n        radiusServerSecret: {SECRET}"
    text = TOPOLOGY.replace("HOSTS", hosts).replace("SITES", sites).replace("SERVERS", servers)
    return text.replace("USERS", USERS)


ONE_IN_VNET = topology(IN_VNET, server="10.1.1.9")
BEHIND_TUNNEL = topology(sites=SITE)


def gateway(lab: Lab) -> UnixGateway:
    handle = lab.gateways["contoso-gw"]
    assert isinstance(handle, UnixGateway)
    return handle


async def refusals(lab: Lab) -> list[dict[str, Any]]:
    return [row for row in await gateway(lab).log() if row["event"] == "refused"]


async def refused(lab: Lab, client: str) -> dict[str, Any]:
    """Dial, be refused; the gateway's record of it."""
    earlier = len(await refusals(lab))
    with pytest.raises(RefusedError):
        await lab.clients[client].dial("IkeV2")
    rows = (await refusals(lab))[earlier:]
    assert len(rows) == 1, rows
    return rows[0]


def test_a_password_opens_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        connection, _ = await lab.clients["alice"].dial("IkeV2")
        (row,) = await gateway(lab).sessions()
        assert row["vpnUserName"] == "alice"
        assert row["privateIpAddress"] == connection.address
        assert (row["thumbprint"], row["publicIpAddress"]) == ("", lab.addresses["home"])
        (*_, record) = await gateway(lab).log()
        assert record["message"].endswith("RADIUS server 10.1.1.9")
        record = await refused(lab, "mallory")
        assert (record["user"], record["reason"]) == ("alice", "password")
        assert len(await gateway(lab).sessions()) == 1

    in_a_lab(tmp_path, ONE_IN_VNET, test)
    everything = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.log"))
    assert SECRET not in everything
    assert PASSWORD not in everything


def test_get_returns_no_secret_and_its_document_can_be_put_again(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        resource = await gateway(lab).get()
        assert SECRET not in str(resource)
        await gateway(lab).put(resource)
        await lab.clients["alice"].dial("IkeV2")
        resource["properties"]["vpnClientConfiguration"]["radiusServerSecret"] = "another"
        await gateway(lab).put(resource)
        assert len(await gateway(lab).sessions()) == 1, "who is in stays in"
        resource["properties"]["vpnClientConfiguration"]["radiusServerSecret"] = SECRET
        await gateway(lab).put(resource)
        await lab.clients["bob"].dial("IkeV2")

    in_a_lab(tmp_path, ONE_IN_VNET, test)


def test_radius_can_be_turned_on_and_off_while_the_gateway_runs(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await lab.clients["alice"].dial("IkeV2")
        resource = await gateway(lab).get()
        root = {"name": "r", "properties": {"publicCertData": "${corp.publicCertData}"}}
        changes = {
            "vpnAuthenticationTypes": ["Certificate"],
            "radiusServerAddress": None,
            "vpnClientRootCertificates": [root],
        }
        update = Update(update="contoso-gw", properties={"vpnClientConfiguration": changes})
        assert await lab.run([update], lambda _event: None)

        async def gone() -> bool:
            return not await gateway(lab).sessions()

        await wait_until("RADIUS users are put out", PATIENCE, gone)
        (*_, record) = await gateway(lab).log()
        assert record["message"] == "Radius authentication is not enabled"
        with pytest.raises(RefusedError):
            await lab.clients["alice"].dial("IkeV2")
        resource["properties"]["vpnClientConfiguration"]["radiusServerSecret"] = SECRET
        await gateway(lab).put(resource)
        await lab.clients["alice"].dial("IkeV2")

    in_a_lab(tmp_path, ONE_IN_VNET, test)


def test_without_the_tunnel_nobody_comes_in_and_with_it_again_everybody(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await becomes(lab, "head-office", "Connected")
        await lab.clients["alice"].dial("IkeV2")
        await lab.faults.begin(Fault.model_validate({"fault": "s2s-cut"}))
        await becomes(lab, "head-office", "NotConnected", 40)
        tasks = [asyncio.create_task(refused_dial(lab, name)) for name in ("bob", "mallory")]
        await asyncio.gather(*tasks)
        rows = await refusals(lab)
        assert {row["reason"] for row in rows} == {"radius-no-answer"}
        assert all("the tunnel of head-office is NotConnected" in row["message"] for row in rows)
        await lab.faults.end("s2s-cut")
        await becomes(lab, "head-office", "Connected", 20)
        await lab.clients["bob"].dial("IkeV2")

    in_a_lab(tmp_path, BEHIND_TUNNEL, test)


def send() -> int | None:
    """What the kernel says when RADIUS is sent all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.sendto(b"x", ("192.168.50.10", 1812))
        except OSError as error:
            return error.errno
    return None


async def refused_dial(lab: Lab, client: str) -> None:
    with pytest.raises(RefusedError):
        await lab.clients[client].dial("IkeV2")


def test_a_server_that_no_connection_leads_to_is_not_asked(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        record = await refused(lab, "alice")
        assert record["reason"] == "radius-no-answer"
        assert "192.168.50.10 is neither in the VNet nor behind" in record["message"]
        assert await lab.nodes["contoso-gw"].call(send) == errno.EHOSTUNREACH

    linked = SITE.replace(
        "connection: {to: contoso-gw, sharedKey: lab-psk, dpdTimeoutSeconds: 9}",
        "privateLink: true",
    )
    in_a_lab(tmp_path, topology(sites=linked), test)
