"""Which certificates a topology needs: its own PKI, its clients', and its gateways' servers'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lab.topology.planning.access_services import router_certificates
from lab.topology.planning.plan import CertificatePlan
from lab.topology.planning.radius_servers import (
    radius_certificates,
    shows_radius_certificates,
)

if TYPE_CHECKING:
    from lab.topology.model.topology import (
        Authority,
        ClientCertificate,
        GatewayCertificate,
        OtherCertificate,
        Topology,
    )

PUBLIC_ROOT = "public-root"
"""The lab's stand-in for the public authority that issues Azure's server certificates."""


def server_name(gateway: str) -> str:
    """The certificate with which a gateway shows itself."""
    return f"{gateway}-server"


def other_name(client: str, number: int) -> str:
    """A certificate that a client has and does not show."""
    return f"{client}-other-{number}"


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
        *_public_root(server_names),
        *radius_certificates(topology, host_names),
        *router_certificates(topology, host_names, server_names),
        *(_authority(name, topology.pki[name], base) for name in _issuers_first(topology.pki)),
        *(
            _server(name, topology.gateways[name].serverCertificate, names)
            for name, names in server_names.items()
        ),
        *(
            _client(
                name,
                client.certificate,
                base,
                named=bool(shows_radius_certificates(topology, name)),
            )
            for name, client in topology.clients.items()
            if client.certificate
        ),
        *(
            _other(other_name(name, index), name, certificate)
            for name, client in topology.clients.items()
            for index, certificate in enumerate(client.otherCertificates, 1)
        ),
    )


def _public_root(server_names: dict[str, tuple[str, str]]) -> Iterator[CertificatePlan]:
    if server_names:
        yield CertificatePlan(PUBLIC_ROOT, "p2slab public root", None, "root", days_after=3650)


def _server(
    gateway: str, certificate: GatewayCertificate, names: tuple[str, str]
) -> CertificatePlan:
    """`names`: the right common name and the further DNS name."""
    shown = (certificate.name,) if certificate.name else names
    return CertificatePlan(
        server_name(gateway),
        shown[0],
        certificate.issuer or PUBLIC_ROOT,
        "server",
        dns_names=shown,
        days_before=-certificate.validFrom,
        days_after=certificate.validTo,
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
    name: str, certificate: ClientCertificate, base: Path, *, named: bool
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


def _other(name: str, client: str, certificate: OtherCertificate) -> CertificatePlan:
    return CertificatePlan(
        name,
        certificate.subject or client,
        certificate.issuer,
        "client",
        days_before=-certificate.validFrom,
        days_after=certificate.validTo,
        client_auth=certificate.clientAuth,
    )


def _file(base: Path, name: str | None) -> str | None:
    return None if name is None else str((base / name).absolute())
