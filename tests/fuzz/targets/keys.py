"""Keys and certificates, the same bytes in every process, so that a found input stays one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fuzz.engine import SOURCE

Kind = Literal["rsa", "ec"]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
_END = b"-----END PRIVATE KEY-----\n"


@dataclass(frozen=True)
class Credential:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key


@cache
def key(kind: Kind, number: int) -> Key:
    """The RSA keys are in rsa.txt; the others follow from the number."""
    if kind == "ec":
        return ec.derive_private_key(1000003 + number, ec.SECP256R1())
    texts = (SOURCE / "tests/fuzz/rsa.txt").read_bytes().split(_END)
    loaded = load_pem_private_key(texts[number] + _END, None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


@cache
def authority(kind: Kind) -> Credential:
    """A root."""
    return _issue("root", kind, 0, None, ca=True)


@cache
def intermediate(kind: Kind) -> Credential:
    """Issued by the root."""
    return _issue("intermediate", kind, 1, authority(kind), ca=True)


@cache
def leaf(kind: Kind, name: str = "alice", *, direct: bool = True) -> Credential:
    """A client's, of the root or of the intermediate. Its signature ends in three zero bits, which
    some parsers let somebody call unused.
    """
    above = (authority if direct else intermediate)(kind)
    tried = (_issue(name, kind, 2, above, ca=False, more=more) for more in range(1000))
    return next(one for one in tried if one.certificate.signature[-1] % 8 == 0)


def der(credential: Credential) -> bytes:
    """Its certificate."""
    return credential.certificate.public_bytes(Encoding.DER)


def pem(kind: Kind) -> tuple[bytes, bytes]:
    """A certificate and its key, as files."""
    one = authority(kind)
    private = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return one.certificate.public_bytes(Encoding.PEM), private


def sign(tbs: bytes, kind: Kind, number: int) -> tuple[bytes, bytes]:
    """AlgorithmIdentifier and signature over anything."""
    signer = key(kind, number)
    if isinstance(signer, rsa.RSAPrivateKey):
        from cryptography.hazmat.primitives.asymmetric import padding

        return _RSA, signer.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    return _ECDSA, signer.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_ECDSA = bytes.fromhex("300a06082a8648ce3d040302")


def _issue(
    name: str, kind: Kind, number: int, above: Credential | None, *, ca: bool, more: int = 0
) -> Credential:
    own = key(kind, number)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(own.public_key())
        .serial_number(0x10203040506070 + number + 4 * more)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(usage, critical=False)
    signer = above.key if above else own
    deterministic = {} if kind == "rsa" else {"ecdsa_deterministic": True}
    return Credential(builder.sign(signer, hashes.SHA256(), **deterministic), own)  # type: ignore[arg-type]
