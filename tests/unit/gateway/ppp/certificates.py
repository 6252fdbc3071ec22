"""EC certificates for EAP-TLS, made once a session."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from gateway.ppp.tls_contexts import client_context, server_context


@dataclass(frozen=True)
class Credential:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def credential(name: str, issuer: str | None = None, padding: int = 0) -> Credential:
    """`padding` makes the certificate that much larger."""
    return _issue(name, issuer, padding)


@functools.cache
def _issue(name: str, issuer: str | None, padding: int) -> Credential:
    key = ec.generate_private_key(ec.SECP256R1())
    above = credential(issuer) if issuer else None
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=above is None, path_length=None), critical=True)
    )
    if padding:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"),
                                             bytes(padding))  # fmt: skip
        builder = builder.add_extension(unknown, critical=False)
    signer = above.key if above else key
    return Credential(builder.sign(signer, hashes.SHA256()), key)


def server_tls(padding: int = 0) -> SSL.Context:
    own = credential("gateway", "server root", padding)
    return server_context(own.certificate, own.key, ())


def client_tls(*, root: str = "server root", padding: int = 0) -> SSL.Context:
    own = credential("alice", "user root", padding)
    chain = (credential("user root").certificate,)
    return client_context(own.certificate, own.key, chain, (credential(root).certificate,))
