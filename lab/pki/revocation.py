"""The revocation list of an authority (RFC 5280, section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lab.pki.authority import Credential, signature_hash

LASTS = timedelta(days=365)


def revocation_list(authority: Credential, revoked: Iterable[Credential]) -> bytes:
    """The revocation list in PEM, signed by the authority; it may be empty."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - timedelta(days=1))
        .next_update(now + LASTS)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False
        )
        .add_extension(x509.CRLNumber(1), False)
    )
    for credential in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(credential.certificate.serial_number)
            .revocation_date(now - timedelta(hours=1))
            .build()
        )
    signed = builder.sign(authority.key, signature_hash(authority.key))
    return signed.public_bytes(serialization.Encoding.PEM)
