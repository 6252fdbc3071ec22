"""Verdicts are about the dial that was asked: real clients behind one NAT, with one certificate or
user, or refused at the same moment for different reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab.pki.authority import issue
from lab.runtime.lab import Lab
from lab.runtime.protocol import StepResult
from lab.topology.model.steps import Steps
from lab.topology.model.vocabulary import VpnProtocol
from lab.topology.planning.plan import CertificatePlan
from tests.rigs.whole_lab import in_a_lab

WORLD = """
name: verdicts
story: Whose verdict is it?
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts:
      app1: {{subnet: app, serves: [http]}}
      nps:
        subnet: app
        address: 10.1.1.10
        radius:
          secondFactor: {{approved: 0, denied: [dora]}}
          users: {{alice: {{password: "Correct-Horse-1"}}, dora: {{password: "Correct-Horse-1"}}}}
gateways:
  gw:
    vnet: contoso
    properties:
      sku: {{name: VpnGw1}}
      vpnType: RouteBased
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.201.0/24]}}
        vpnClientProtocols: [{protocols}]
{authentication}
pki:
  root: {{}}
  other: {{}}
access:
  home: {{}}
clients:
{clients}
expect:
  - {{reaches: app1, host: app1, port: 80}}
"""
CERTIFICATES = """\
        vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {{name: root, properties: {{publicCertData: "{root}"}}}}
        vpnClientRevokedCertificates:
          - {{name: revoked, properties: {{thumbprint: "{revoked}"}}}}
"""
RADIUS = """\
        vpnAuthenticationTypes: [Radius]
        radiusServers:
          - {radiusServerAddress: 10.1.1.10, radiusServerScore: 30, radiusServerSecret: "a secret"}
"""
ROOT = "${root.publicCertData}"
PROTOCOLS: dict[str, tuple[VpnProtocol, str]] = {
    "ikev2": ("IkeV2", "os: linux"),
    "openvpn": ("OpenVPN", "os: linux"),
    "sstp": ("SSTP", "os: windows7, sstpClient: python"),
}
"""The protocol by the end of a computer's name, and its system."""


def world(clients: Mapping[str, str], protocols: Sequence[str], authentication: str) -> str:
    """`clients`: the user of each."""
    rows = (
        f"  {name}: {{behind: home, {PROTOCOLS[name.rpartition('-')[2]][1]}, {user}}}"
        for name, user in clients.items()
    )
    offered = ", ".join(PROTOCOLS[name][0] for name in protocols)
    return WORLD.format(protocols=offered, authentication=authentication, clients="\n".join(rows))


async def results(lab: Lab, *steps: dict[str, Any]) -> list[tuple[bool, str]]:
    """Whether each step held, and its detail."""
    found: dict[int, StepResult] = {}

    def emit(event: Any) -> None:
        found[event.index] = event

    await lab.run(Steps.validate_python(list(steps)), emit)
    return [(found[index].held, found[index].detail) for index in range(len(steps))]


async def all_hold(lab: Lab, *steps: dict[str, Any]) -> None:
    """The steps that do not hold are reported."""
    told = await results(lab, *steps)
    assert [row for row, (held, _) in zip(zip(steps, told, strict=True), told, strict=True)
            if not held] == []  # fmt: skip


def files(directory: Path) -> tuple[str, dict[str, str]]:
    """A root (publicCertData), and the mappings of two certificates of its, both called `pc`."""
    made = issue(
        (
            CertificatePlan("root", "own-root", None, "root"),
            CertificatePlan("one", "pc", "root", "client"),
            CertificatePlan("two", "pc", "root", "client"),
        )
    )
    mappings = {}
    for name in ("one", "two"):
        pem, key = directory / f"{name}.pem", directory / f"{name}.key"
        pem.write_bytes(made[name].certificate_pem)
        key.write_bytes(
            made[name].key.private_bytes(
                Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
            )
        )
        mappings[name] = f"certificate: {{certificate: {pem}, key: {key}}}"
    return made["root"].public_cert_data, mappings


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_computers_with_one_certificate_or_one_name_are_told_apart(
    protocol: str, tmp_path: Path
) -> None:
    root, have = files(tmp_path)
    over, _ = PROTOCOLS[protocol]
    first, second, namesake, idle = (
        f"{name}-{protocol}" for name in ("first", "second", "namesake", "idle")
    )
    clients = {
        first: have["one"], second: have["one"], idle: have["one"], namesake: have["two"]
    }  # fmt: skip

    async def test(lab: Lab) -> None:
        everybody = (first, second, namesake)
        await all_hold(
            lab,
            {"staysDisconnected": idle, "for": 2},
            *({"connects": name, "over": over} for name in everybody),
            *({"reaches": name, "host": "app1", "port": 80} for name in everybody),
        )
        sessions = {name: lab.clients[name].session for name in everybody}
        assert len(set(sessions.values())) == 3
        # The second's session stands, and the first's computer need not have noticed.
        await all_hold(lab, {"disconnect": first}, {"connects": first})
        assert lab.clients[first].session != sessions[first]
        (found,) = await results(lab, {"disconnected": second, "within": 0.2})
        assert found == (False, "is still connected after 0.2 s")
        (found,) = await results(lab, {"disconnect": idle})
        assert found == (False, f"{idle} has no session to disconnect")
        (found,) = await results(lab, {"disconnected": idle})
        assert found == (False, f"{idle} was not connected")
        await all_hold(
            lab,
            {"revoke": first},
            {"disconnected": first, "within": 5, "because": "revoked"},
            {"disconnected": second, "within": 5, "because": "revoked"},
            {"refused": second, "because": "revoked"},
            {"refused": idle, "because": "revoked"},
            {"connects": namesake, "over": over},
        )
        assert lab.clients[namesake].session == sessions[namesake]

    authentication = CERTIFICATES.format(root=root, revoked="A" * 40)
    in_a_lab(tmp_path, world(clients, [protocol], authentication), test)


REFUSED = {
    "revoked": "certificate: {issuer: root}",
    "untrusted": "certificate: {issuer: other}",
    "expired": "certificate: {issuer: root, validFrom: -30d, validTo: -1d}",
    "no-client-auth": "certificate: {issuer: root, clientAuth: false}",
}
"""Certificates, by the reason for which they are refused."""


async def each_has_its_own_reason(lab: Lab, reasons: Mapping[str, str]) -> None:
    """All dial at once: each with its own reason holds, and with that of the next one does not."""
    overs = {name: PROTOCOLS[name.rpartition("-")[2]][0] for name in reasons}
    own = [
        {"refused": name, "over": overs[name], "because": reason}
        for name, reason in reasons.items()
    ]
    await all_hold(lab, *own)
    kinds = list(dict.fromkeys(reasons.values()))
    turned = [kinds[kinds.index(reason) - 1] for reason in reasons.values()]
    others = [step | {"because": because} for step, because in zip(own, turned, strict=True)]
    told = await results(lab, *others)
    for name, (held, detail) in zip(reasons, told, strict=True):
        assert not held
        # On a busy machine, the detail goes on.
        assert f"{detail};".startswith(f"refused, but because {reasons[name]};")


@pytest.mark.parametrize("protocols", [("ikev2", "openvpn"), ("ikev2", "sstp")], ids="+".join)
def test_neighbours_with_bad_certificates_have_their_own_reasons(
    protocols: tuple[str, ...], tmp_path: Path
) -> None:
    names = {f"{reason}-{over}": reason for reason in REFUSED for over in protocols}
    clients = {name: REFUSED[reason] for name, reason in names.items()}

    async def test(lab: Lab) -> None:
        await results(lab, *({"revoke": f"revoked-{over}"} for over in protocols))
        await each_has_its_own_reason(lab, names)

    authentication = CERTIFICATES.format(root=ROOT, revoked="A" * 40)
    in_a_lab(tmp_path, world(clients, protocols, authentication), test)


PASSWORDS = {
    "password": 'user: alice, password: "guessed"',
    "unknown-user": 'user: nobody, password: "guessed"',
    "second-factor-denied": "user: dora",
}


def test_neighbours_with_bad_passwords_have_their_own_reasons(tmp_path: Path) -> None:
    protocols = ("ikev2", "sstp")
    names = {f"{reason}-{over}": reason for reason in PASSWORDS for over in protocols}
    clients = {name: PASSWORDS[reason] for name, reason in names.items()}

    async def test(lab: Lab) -> None:
        # A server's word on a user who dials twice counts only if it is one.
        for over in protocols:
            own = {name: reason for name, reason in names.items() if name.endswith(over)}
            await each_has_its_own_reason(lab, own)

    in_a_lab(tmp_path, world(clients, protocols, RADIUS), test)
