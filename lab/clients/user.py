"""What the user has besides the profile: a .p12 and its password."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509 import Certificate


@dataclass(frozen=True)
class UserCertificate:
    """The content of a .p12."""

    certificate: Certificate
    certificate_pem: bytes
    key_pem: bytes
    intermediates_pem: tuple[bytes, ...]

    @property
    def subject(self) -> str:
        """The subject as RFC 4514 text, most specific part first."""
        return self.certificate.subject.rfc4514_string()


def open_p12(data: bytes, password: str) -> UserCertificate:
    """Open a .p12 with one key and its certificate; ValueError if it is not that."""
    key, certificate, others = pkcs12.load_key_and_certificates(data, password.encode())
    if key is None or certificate is None:
        raise ValueError("the .p12 holds no private key with its certificate")
    return UserCertificate(
        certificate,
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        tuple(other.public_bytes(Encoding.PEM) for other in others),
    )
