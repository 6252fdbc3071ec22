"""The certificate that a gateway shows, beside what the client's profile expects of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.clients.profile import Profile
    from lab.nodes.base import Node

FILE = "/run/gateway/server.pem"
"""What the gateway shows in every protocol: its own certificate, then the intermediates."""

_OPENVPN_NAME = re.compile(r"^verify-x509-name '([^']*)'", re.MULTILINE)
_OPENVPN_ROOTS = re.compile(r"^<ca>$(.*?)^</ca>$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Difference:
    """One thing that the client does not take."""

    cause: str
    shown: str
    expected: str
    remedy: str


@dataclass(frozen=True)
class Expected:
    """What the client wants of the gateway's certificate."""

    name: str
    roots: Sequence[x509.Certificate]
    """Of the profile."""
    at: datetime


async def look(gateway: Node, profile: Profile, protocol: str) -> tuple[Difference, ...]:
    """What is wrong with a gateway's certificate for who dials the protocol by this profile."""
    shown = x509.load_pem_x509_certificates(await gateway.read(FILE))
    name, roots = profile.server, profile.server_root
    if protocol == "OpenVPN":
        name = _inside(_OPENVPN_NAME, profile.openvpn)
        roots = _inside(_OPENVPN_ROOTS, profile.openvpn).encode()
    return differences(shown, Expected(name, _certificates(roots), datetime.now(UTC)))


def _inside(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _certificates(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem) if pem.strip() else []


def differences(shown: Sequence[x509.Certificate], expected: Expected) -> tuple[Difference, ...]:
    """Name, time and root of a chain, whose first is the gateway's own certificate."""
    own, found = shown[0], []
    names = names_of(own)
    if expected.name not in names:
        found.append(
            Difference(
                f"it is for {', '.join(names)}, and the client expects {expected.name}",
                f"names in it: {', '.join(names)}",
                f"name in the profile: {expected.name}",
                "give the gateway the certificate for its own name",
            )
        )
    begin, end = own.not_valid_before_utc, own.not_valid_after_utc
    if not begin <= expected.at <= end:
        state = "has expired" if expected.at > end else "is not valid yet"
        found.append(
            Difference(
                f"it {state}",
                f"valid until {_time(end)}, from {_time(begin)}",
                f"the client dialled at {_time(expected.at)}",
                "renew the gateway's certificate, or see the clocks",
            )
        )
    if not any(_issued(shown[-1], root) for root in expected.roots):
        issuer = _name(shown[-1].issuer)
        known = ", ".join(_name(root.subject) for root in expected.roots) or "none"
        found.append(
            Difference(
                f"its root is {issuer}, and the client's profile has {known}",
                f"issued by {issuer}",
                f"roots in the profile: {known}",
                "give the gateway a certificate of that root, or take a new profile",
            )
        )
    return tuple(found)


def finding(gateway: str, found: Sequence[Difference], *said: str) -> Finding:
    """Of a client that refuses the gateway."""
    causes = "; ".join(one.cause for one in found)
    proof = (f"the gateway's certificate: {one.shown}; {one.expected}" for one in found)
    return failure(
        "certificate",
        f"the client does not accept the certificate of the gateway {gateway}: {causes}",
        *proof,
        *said,
        remedy=found[0].remedy,
        at=stamp(),
    )


def names_of(certificate: x509.Certificate) -> list[str]:
    """Its common name and its DNS names."""
    names = [_name(certificate.subject)]
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return list(dict.fromkeys([*names, *extension.value.get_values_for_type(x509.DNSName)]))


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return certificate == root
    return True


def _time(moment: datetime) -> str:
    return stamp(moment.timestamp())
