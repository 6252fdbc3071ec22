"""Which certificates a topology needs: its own PKI, its clients', and its gateways' servers'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab.topology.planning.access_services import router_certificates
from lab.topology.planning.plan import CertificatePlan
from lab.topology.planning.radius_servers import radius_certificates, root_for_profiles

if TYPE_CHECKING:
    from lab.topology.model.topology import Authority, ClientCertificate, Topology

PUBLIC_ROOT = "public-root"
"""The lab's stand-in for the public authority that issues Azure's server certificates."""


def server_name(gateway: str) -> str:
    """The certificate with which a gateway shows itself."""
    return f"{gateway}-server"


def certificate_plans(
    topology: Topology,
    base: Path,
    server_names: dict[str, tuple[str, str]],
    host_names: Mapping[str, str],
) -> tuple[CertificatePlan, ...]:
    """Issuers first. `server_names`: gateway to its common name and its further DNS name.

    Files of the user's own are relative to `base`, the topology file's directory.
    """
    return (
        *_servers(server_names),
        *radius_certificates(topology, host_names),
        *router_certificates(topology, host_names, server_names),
        *(_authority(name, topology.pki[name], base) for name in _issuers_first(topology.pki)),
        *(
            _client(name, client.certificate, base, named=root_for_profiles(topology, client))
            for name, client in topology.clients.items()
            if client.certificate
        ),
    )


def _servers(server_names: dict[str, tuple[str, str]]) -> Iterator[CertificatePlan]:
    if server_names:
        yield CertificatePlan(PUBLIC_ROOT, "p2slab public root", None, "root", days_after=3650)
    for gateway, (common_name, other) in server_names.items():
        yield CertificatePlan(
            server_name(gateway),
            common_name,
            PUBLIC_ROOT,
            "server",
            dns_names=(common_name, other),
            client_auth=False,
        )


def _issuers_first(pki: dict[str, Authority]) -> list[str]:
    """Names ordered so that every issuer stands before what it issues (no cycles: rules.py)."""
    ordered: list[str] = []

    def add(name: str) -> None:
        if name in ordered:
            return
        issuer = pki[name].issuer
        if issuer is not None:
            add(issuer)
        ordered.append(name)

    for name in pki:
        add(name)
    return ordered


def _authority(name: str, authority: Authority, base: Path) -> CertificatePlan:
    return CertificatePlan(
        name,
        authority.subject or name,
        authority.issuer,
        "intermediate" if authority.issuer else "root",
        days_before=-authority.validFrom,
        days_after=authority.validTo,
        certificate_file=_file(base, authority.certificate),
        key_file=_file(base, authority.key),
        password=authority.password,
        password_file=_file(base, authority.passwordFile),
    )


def _client(
    name: str, certificate: ClientCertificate, base: Path, *, named: str | None
) -> CertificatePlan:
    """One that a RADIUS server judges has the user's name as its principal name, as those of an
    enterprise have: it is the EAP identity."""
    subject = certificate.subject or name
    return CertificatePlan(
        name,
        subject,
        certificate.issuer,
        "client",
        principal=subject if named else "",
        days_before=-certificate.validFrom,
        days_after=certificate.validTo,
        client_auth=certificate.clientAuth,
        certificate_file=_file(base, certificate.certificate),
        key_file=_file(base, certificate.key),
        password=certificate.password,
        password_file=_file(base, certificate.passwordFile),
    )


def _file(base: Path, name: str | None) -> str | None:
    return None if name is None else str((base / name).absolute())
