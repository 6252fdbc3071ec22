"""Does a client's certificate chain to an uploaded root, and is it fit for the purpose?

Pure: certificates in, a finding out; the clock is passed in. RFC 5280 section 6, cut down to what
Azure's certificate authentication looks at: signatures, validity, CA flags, clientAuth.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.vocabulary import Reason

LONGEST_CHAIN = 8


@dataclass(frozen=True)
class Finding:
    """`reason` None: the certificate is good. `chain` runs from the leaf to the root."""

    reason: Reason | None
    message: str
    chain: tuple[x509.Certificate, ...] = ()


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 over the DER in upper-case hexadecimal: Azure's name for a certificate."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Azure's, not ours


def user_name(certificate: x509.Certificate) -> str:
    """The common name; the whole subject where there is none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def load_public_cert_data(data: str) -> x509.Certificate:
    """A root as Azure takes it (the rulebook has looked at it already)."""
    return x509.load_der_x509_certificate(base64.b64decode(data))


def is_authority(certificate: x509.Certificate) -> bool:
    """Basic constraints say CA."""
    if not is_legible(certificate):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def is_legible(certificate: x509.Certificate) -> bool:
    """Whether its extensions can be read: the parser reads a stranger's only when asked."""
    try:
        return certificate.extensions is not None
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm):
        return False


def examine(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> Finding:
    """Look at a client's certificate; `others` are candidates for intermediates."""
    if not is_legible(leaf):
        return Finding("untrusted", "its extensions cannot be read")
    chain = _chain((leaf,), others, roots)
    if not chain:
        issuer = leaf.issuer.rfc4514_string()
        return Finding("untrusted", f"issued by {issuer}, which leads to no uploaded root")
    for certificate in chain:
        finding = _validity(certificate, now, chain)
        if finding:
            return finding
    if not _for_clients(leaf):
        return Finding("no-client-auth", "its extended key usage lacks clientAuth", chain)
    return Finding(None, "", chain)


def _chain(
    so_far: tuple[x509.Certificate, ...],
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
) -> tuple[x509.Certificate, ...]:
    last = so_far[-1]
    for root in roots:
        if _issued(last, root):
            return (*so_far, root)
    if len(so_far) >= LONGEST_CHAIN:
        return ()
    for other in others:
        if other not in so_far and is_authority(other) and _issued(last, other):
            chain = _chain((*so_far, other), others, roots)
            if chain:
                return chain
    return ()


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """The issuer's name and its signature."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _validity(
    certificate: x509.Certificate, now: datetime, chain: tuple[x509.Certificate, ...]
) -> Finding | None:
    name = certificate.subject.rfc4514_string()
    if now > certificate.not_valid_after_utc:
        until = certificate.not_valid_after_utc.isoformat()
        return Finding("expired", f"{name} was valid until {until}", chain)
    if now < certificate.not_valid_before_utc:
        since = certificate.not_valid_before_utc.isoformat()
        return Finding("not-yet-valid", f"{name} is valid from {since}", chain)
    return None


def _for_clients(leaf: x509.Certificate) -> bool:
    """RFC 5280 4.2.1.12: without the extension a key may be used for any purpose."""
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    allowed = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return bool(allowed & set(usage))
