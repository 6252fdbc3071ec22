"""Which IKE and ESP proposals a gateway takes, with real daemons at both ends."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from vici.exception import CommandException

from gateway.charon.proposals import Proposals
from lab.roles.site import TUNNEL
from lab.runtime.lab import Lab
from lab.topology.model.ike import _ALLOWED, KINDS
from lab.vpn_client import RefusedError
from lab.waiting import wait_until
from tests.e2e.test_site_to_site import becomes, gateway, reached
from tests.rigs import ike_wire as wire
from tests.rigs.patience import PATIENCE
from tests.rigs.whole_lab import in_a_lab

KEY = "psk-of-the-head-office"
POLICY: dict[str, Any] = {
    "saLifeTimeSeconds": 86471,
    "saDataSizeKilobytes": 1024,
    "ipsecEncryption": "AES256",
    "ipsecIntegrity": "SHA256",
    "ikeEncryption": "AES256",
    "ikeIntegrity": "SHA384",
    "dhGroup": "DHGroup14",
    "pfsGroup": "PFS14",
}
TOPOLOGY = f"""
name: policies
story: Clients and a site of a gateway whose IPsec policies change.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app, serves: [echo]}}}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {{name: VpnGw1}}
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [IkeV2]
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: r, properties: {{publicCertData: "${{contoso-root.publicCertData}}"}}}}
pki:
  contoso-root: {{}}
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {{to: contoso-gw, sharedKey: {KEY}}}
    hosts: {{files: {{serves: [echo]}}}}
    ike: {{proposals: [aes256-sha1-modp1024, aes256-sha384-modp2048], esp: [aes256-sha256]}}
access:
  home: {{}}
clients:
  alice: {{os: windows10, behind: home, certificate: {{issuer: contoso-root}}}}
  bob:
    os: linux
    behind: home
    certificate: {{issuer: contoso-root}}
    ike: {{proposals: [aes256-sha256-modp1024]}}
"""

_CIPHERS = {
    "AES256": b"\x01\x00\x0c\x80\x0e\x01\x00",
    "AES128": b"\x01\x00\x0c\x80\x0e\x00\x80",
    "GCM256": wire.AES_GCM_256,
    "GCM128": b"\x01\x00\x14\x80\x0e\x00\x80",
    "3DES": b"\x01\x00\x03",
}
_PRFS = {"SHA1": 2, "SHA256": 5, "SHA384": 6}
_INTEGRITY = {"SHA1": 2, "SHA256": 12, "SHA384": 13}
_GROUPS = {"2": 2, "14": 14, "24": 24, "ECP256": 19, "ECP384": 20, "ECP521": 21, "C25519": 31}
_FOUR = ("24", "14", "ECP384", "ECP256")
DEFAULT = {
    *((cipher, prf, group) for cipher in ("GCM256", "AES256") for prf in ("SHA384", "SHA256")
      for group in _FOUR),
    ("AES256", "SHA256", "2"),
}  # fmt: skip
OTHERS = {
    ("AES256", "SHA1", "2"),
    ("AES128", "SHA1", "2"),
    ("3DES", "SHA1", "2"),
    ("GCM256", "SHA384", "2"),
    ("AES256", "SHA256", "C25519"),
    ("GCM128", "SHA256", "ECP256"),
    ("AES256", "SHA1", "14"),
    ("GCM256", "SHA384", "ECP521"),
}
NO_PROPOSAL_CHOSEN, INVALID_KE_PAYLOAD = 14, 17


def answer(address: str, cipher: str, prf: str, group: str) -> int:
    """The notification that the gateway answers to an IKE_SA_INIT. The key is of a group that it
    does not have, so it names the group of a proposal that it has chosen (RFC 7296, 2.7)."""
    integrity = [] if cipher.startswith("GCM") else [bytes((3, 0, _INTEGRITY[prf]))]
    transforms = (_CIPHERS[cipher], *integrity, bytes((2, 0, _PRFS[prf])))
    payloads = [
        wire.proposal(1, b"", *transforms, bytes((4, 0, _GROUPS[group]))),
        wire.Payload(wire.KE, b"\0\x05\0\0" + os.urandom(192)),
        wire.Payload(wire.NONCE, os.urandom(32)),
    ]
    first, body = wire.chain(payloads)
    head = wire.Header(os.urandom(8), bytes(8), first, wire.IKE_SA_INIT, wire.INITIATOR, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(PATIENCE)
        line.sendto(head.encode(wire.HEADER + len(body)) + body, (address, 500))
        message = line.recv(4096)
    found = wire.told(wire.unchain(wire.parse_header(message).first, message[wire.HEADER :]))
    (notification,) = found
    return notification


async def put(lab: Lab, *policies: dict[str, Any]) -> dict[str, Any]:
    document = await gateway(lab).get()
    document["properties"]["vpnClientConfiguration"]["vpnClientIpsecPolicies"] = list(policies)
    return await gateway(lab).put(document)


def test_azures_seventeen_combinations_are_chosen_and_no_others(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        address = lab.addresses["contoso-gw"]

        def ask() -> dict[tuple[str, str, str], int]:
            return {row: answer(address, *row) for row in (*DEFAULT, *OTHERS)}

        found = await lab.nodes["alice"].call(ask)
        assert {row for row, kind in found.items() if kind == INVALID_KE_PAYLOAD} == DEFAULT
        assert {row for row, kind in found.items() if kind == NO_PROPOSAL_CHOSEN} == OTHERS
        await put(lab, POLICY)
        found = await lab.nodes["alice"].call(ask)
        chosen = {row for row, kind in found.items() if kind == INVALID_KE_PAYLOAD}
        assert chosen == {("AES256", "SHA384", "14")}

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_a_policy_changes_while_clients_are_connected(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        alice, bob = lab.clients["alice"], lab.clients["bob"]
        await bob.dial("IkeV2")
        answered = await put(lab, POLICY | {"dhGroup": "dhgroup14"})
        client = answered["properties"]["vpnClientConfiguration"]
        assert client["vpnClientIpsecPolicies"] == [POLICY]
        await bob.ended(PATIENCE)
        assert await gateway(lab).sessions() == []
        ends = [row for row in await gateway(lab).log() if row["event"] == "disconnected"]
        assert [row["message"] for row in ends] == ["the IPsec policy has changed"]
        with pytest.raises(RefusedError) as caught:
            await bob.dial("IkeV2")
        assert caught.value.reason == "no-proposal"
        await alice.dial("IkeV2")
        await put(lab, POLICY)
        assert await alice.connection(), "the same policy changes nothing"
        await put(lab)
        await bob.dial("IkeV2")

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_keys_are_replaced_after_so_many_bytes(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await put(lab, POLICY)
        alice: Any = lab.clients["alice"]
        await alice.dial("IkeV2")
        driver = alice._driver  # the daemon's own list

        async def spis() -> set[bytes]:
            rows = await driver._associations()
            return {c["spi-in"] for row in rows for c in row["child-sas"].values()}

        first = await spis()

        def send() -> None:
            with socket.create_connection((lab.addresses["app1"], 7), timeout=PATIENCE) as line:
                for _ in range(32):  # twice a mebibyte, there and back
                    line.sendall(bytes(65536))
                    left = 65536
                    while left:
                        left -= len(line.recv(left))

        await lab.nodes["alice"].call(send)

        async def renewed() -> bool:
            return not first & await spis()

        await wait_until("new keys", PATIENCE, renewed)
        assert await alice.connection()
        (session,) = await gateway(lab).sessions()
        assert session["ingressBytesTransferred"] > 2 * 2**20

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_a_connections_policy_and_its_device(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        async def ask(*policies: dict[str, Any]) -> None:
            document = await gateway(lab).connection("head-office")
            document["properties"]["ipsecPolicies"] = list(policies)
            await gateway(lab).put_connection(document)

        async def why(words: str) -> None:
            async def told() -> bool:
                (*_, record) = await gateway(lab).tunnel_log()
                return words in record["message"]

            await wait_until(words, PATIENCE, told)

        await becomes(lab, "head-office", "Connected")
        agreed = POLICY | {"pfsGroup": "None"}
        await ask(agreed)
        await becomes(lab, "head-office", "Connected")
        assert await reached(lab, "app1", "files")
        await ask(agreed | {"dhGroup": "DHGroup24"})
        await why("share no IKE proposal")
        await becomes(lab, "head-office", "NotConnected")
        device = await lab.devices["head-office"].state()
        print(
            device,
            lab.devices["head-office"].log,
            lab.devices["head-office"].log.read_text()[-1500:],
        )
        assert "received proposals: IKE:" in device["proposals"]
        assert "MODP_2048_256" in device["proposals"]
        await ask(agreed | {"ipsecEncryption": "AES128"})
        await why("share no ESP proposal")
        await ask(agreed)
        await becomes(lab, "head-office", "Connected")
        assert await reached(lab, "app1", "files")

    in_a_lab(tmp_path, TOPOLOGY, test)


def test_every_keyword_of_the_language_is_one_that_charon_loads(tmp_path: Path) -> None:
    def proposal(word: str, kind: str, rest: dict[str, str]) -> str:
        combined = kind == "aead"
        parts = {**rest, ("cipher" if kind in ("aead", "null") else kind): word}
        if combined:
            parts.pop("integrity", None)
        elif "prf" in parts and kind != "prf":
            parts.pop("prf")
        return "-".join(parts.values())

    ike = {"cipher": "aes256", "integrity": "sha256", "prf": "prfsha256", "group": "modp2048"}
    esp = {"cipher": "aes256", "integrity": "sha256"}
    offered = Proposals(
        tuple(proposal(w, k, ike) for w, k in KINDS.items() if k in _ALLOWED["IKE"]),
        tuple(proposal(w, k, esp) for w, k in KINDS.items() if k in _ALLOWED["ESP"]),
    )

    async def test(lab: Lab) -> None:
        device: Any = lab.devices["head-office"]
        children = {TUNNEL: {"esp_proposals": list(offered.esp)}}
        message = {"version": "2", "proposals": list(offered.ike), "children": children}
        await asyncio.to_thread(device._ask, "load_conn", {"all": message})
        wrong = {"version": "2", "proposals": ["aes257-sha1-modp1024"]}
        with pytest.raises(CommandException, match="invalid"):
            await asyncio.to_thread(device._ask, "load_conn", {"none": wrong})

    in_a_lab(tmp_path, TOPOLOGY, test)
