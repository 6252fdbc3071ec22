"""The labs of `p2slab bench radius`: the same gateway with RADIUS behind a tunnel, and without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.report.session import build, start_lab
from lab.report.verdict import Verdict
from lab.runtime.handle import Handle
from lab.runtime.protocol import Event, StepResult
from lab.topology.load import TopologyFile, load_bytes
from lab.topology.model.steps import Steps

GATEWAY = "contoso-gw"
PASSWORD = "Correct-Horse-"
DIALS = {"ike": "IkeV2", "sstp": "SSTP", "sstpc": "SSTP"}
"""How clients dial: strongSwan, the lab's own SSTP client, and the real one."""
KINDS = {"ike": "os: windows10, sstpClient: python", "sstp": "os: windows7, sstpClient: python",
         "sstpc": "os: windows7"}  # fmt: skip
LOADERS = ("load-ike", "load-sstp")

_COMMON = """
name: {name}
story: A benchmark.
vnets:
  contoso:
    addressSpace: [10.1.0.0/16]
    subnets: {{GatewaySubnet: 10.1.255.0/27, app: 10.1.1.0/24}}
    hosts: {{app1: {{subnet: app}}}}
gateways:
  contoso-gw:
    vnet: contoso
    properties:
      sku: {{name: VpnGw1}}
      vpnType: RouteBased
      vpnClientConfiguration:
        vpnClientAddressPool: {{addressPrefixes: [172.16.0.0/16]}}
        vpnClientProtocols: [IkeV2, SSTP]
        {authentication}
pki: {{users: {{}}}}
access: {{home: {{nat: true}}}}
clients:
  {clients}
{more}
"""
_NATIVE = """vpnAuthenticationTypes: [Certificate]
        vpnClientRootCertificates:
          - {name: users, properties: {publicCertData: "${users.publicCertData}"}}"""
SERVER, SECRET = "192.168.50.10", "secret between gateway and RADIUS"
_RADIUS = f"""vpnAuthenticationTypes: [Radius]
        radiusServerAddress: {SERVER}
        radiusServerSecret: "{SECRET}\""""
_SITE = """sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {{to: contoso-gw, sharedKey: "key between gateway and site"}}
    radius:
      address: 192.168.50.10
      certificates: {{authority: users}}
      users:
        {users}
expect:
  - {{tunnel: head-office, is: Connected}}
"""
_CERTIFICATE = "certificate: {issuer: users}"


def native() -> TopologyFile:
    """Clients with certificates that the gateway judges."""
    clients = [_client(f"{kind}-certificate", kind, _CERTIFICATE) for kind in KINDS]
    return _topology("bench-native", _NATIVE, clients, "")


def radius(users: int = 1) -> TopologyFile:
    """Clients with certificates and passwords that a RADIUS server behind a tunnel judges."""
    clients = [_client(f"{kind}-certificate", kind, _CERTIFICATE) for kind in KINDS]
    clients += [_client(f"{kind}-password", kind, "user: u0") for kind in KINDS]
    return _topology("bench-radius", _RADIUS, clients, _site(users))


def crowd(users: int) -> TopologyFile:
    """Two computers from which so many users sign in."""
    clients = [_client(name, "sstp", "user: u0") for name in LOADERS]
    return _topology("bench-logins", _RADIUS, clients, _site(users))


def _client(name: str, kind: str, signs_in: str) -> str:
    return f"{name}: {{{KINDS[kind]}, behind: home, {signs_in}}}"


def _site(users: int) -> str:
    known = (f'u{n}: {{password: "{PASSWORD}{n}"}}' for n in range(users))
    return _SITE.format(users="\n        ".join(known))


def _topology(name: str, authentication: str, clients: list[str], more: str) -> TopologyFile:
    text = _COMMON.format(
        name=name, authentication=authentication, clients="\n  ".join(clients), more=more
    )
    return TopologyFile(Path(name), load_bytes(text.encode(), name, Path()))


class Running:
    """A lab that runs."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def steps(self, *steps: dict[str, Any]) -> list[StepResult]:
        """Carry out steps, all of which have to hold."""
        results: list[StepResult] = []

        def take(event: Event) -> None:
            if isinstance(event, StepResult):
                results.append(event)

        if not self.handle.run(Steps.validate_python(steps), take):
            failed = [f"{r.text}: {r.detail}" for r in results if not r.held]
            raise RuntimeError("; ".join(failed))
        return results


@contextmanager
def running(topology: TopologyFile) -> Iterator[Running]:
    """Built, its tunnels up, and taken down at the end."""
    handle = start_lab(topology, f"{topology.topology.name}-{os.getpid()}")
    try:
        verdict = Verdict(handle.name, str(topology.path))
        if not build(handle, verdict, lambda _: None):
            raise RuntimeError(f"not built: {verdict.failure}")
        lab = Running(handle)
        if topology.topology.expect:
            lab.steps(*(s.model_dump(by_alias=True, mode="json") for s in topology.topology.expect))
        yield lab
    finally:
        handle.down()
