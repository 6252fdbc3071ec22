"""Trust anchors: the uploaded roots in the form in which OpenSSL takes them.

What path validation needs of a trust anchor is its name and its key (RFC 5280 6.1.1 d); a
self-signed certificate is one way to hand them over. OpenSSL asks more of it: some extension has to
say that it is an authority. MakeCert, with which one of Azure's articles makes roots, writes none.

OpenSSL itself judges whether anybody could connect under a root (`objection`), because the gateway
and openvpn follow it. The root's private key is elsewhere, so a copy with another key is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto
from OpenSSL._util import ffi, lib

from gateway.common.der import BITS, OCTETS, SEQUENCE, inside, tlv, values

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

_EXTENSIONS = 0xA3
_BASIC_CONSTRAINTS = bytes.fromhex("0603551d13")
_ABOUT_AUTHORITIES = (
    _BASIC_CONSTRAINTS,
    bytes.fromhex("0603551d0f"),  # key usage
    bytes.fromhex("06096086480186f8420101"),  # Netscape's certificate type
)
"""Extensions (OID) by which OpenSSL knows an authority."""
_CA = tlv(
    SEQUENCE,
    _BASIC_CONSTRAINTS,
    b"\x01\x01\xff",
    tlv(OCTETS, tlv(SEQUENCE, b"\x01\x01\xff")),
)
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_CLIENT = bytes.fromhex("3011310f300d06035504030c06636c69656e74")
"""The name CN=client."""

# X509_V_ERR_... of openssl/x509_vfy.h. They depend on the time and on the client's names.
_LATER = (9, 10, 47, 48)


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Whether subject and issuer are one name, in whatever encoding (RFC 5280 7.1)."""
    read = crypto.X509.from_cryptography(certificate)
    return bool(read.get_subject() == read.get_issuer())


def anchor(certificate: x509.Certificate) -> bytes:
    """The DER of a self-issued certificate as OpenSSL takes it for a root.

    It is the certificate itself unless no extension says whether it is an authority; then
    basicConstraints is added. Nobody verifies the signature of a root.
    """
    der = certificate.public_bytes(Encoding.DER)
    parts = values(inside(certificate.tbs_certificate_bytes)) or []
    if not parts or parts[0] != b"\xa0\x03\x02\x01\x02":  # only version 3 has extensions
        return der
    *fields, last = parts
    if last[0] == _EXTENSIONS:
        extensions = values(inside(inside(last))) or []
    else:
        fields, extensions = parts, []
    if any(inside(one).startswith(_ABOUT_AUTHORITIES) for one in extensions):
        return der
    amended = tlv(_EXTENSIONS, tlv(SEQUENCE, *extensions, _CA))
    _, *signed = values(inside(der)) or []
    return tlv(SEQUENCE, tlv(SEQUENCE, *fields, amended), *signed)


def store_of(der: bytes) -> crypto.X509Store:
    """A store with this anchor alone, for client certificates. crypto.Error: OpenSSL refuses it."""
    store = crypto.X509Store()
    store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, der))
    # pyOpenSSL has no method for it
    lib.X509_STORE_set_purpose(store._store, lib.X509_PURPOSE_SSL_CLIENT)  # noqa: SLF001
    return store


@dataclass(frozen=True)
class Verdict:
    """What OpenSSL says to a chain."""

    code: int = 0
    """X509_V_ERR_...; 0: the chain is good."""
    depth: int = 0
    """The place of the certificate that has the error: 0 is the client's own."""
    at: x509.Certificate | None = None
    """That certificate."""
    chain: tuple[x509.Certificate, ...] = ()
    """Of a good chain, the client's own certificate first."""


def verify(
    store: crypto.X509Store, leaf: crypto.X509, others: Sequence[crypto.X509], now: datetime
) -> Verdict:
    """X509_verify_cert."""
    store.set_time(now)
    context = crypto.X509StoreContext(store, leaf, list(others))
    try:
        chain = context.get_verified_chain()
    except crypto.X509StoreContextError as error:
        code, depth, *_ = error.errors
        return Verdict(code, depth, error.certificate.to_cryptography())
    finally:
        lib.ERR_clear_error()  # otherwise the next OpenSSL call would seem to have failed
    return Verdict(chain=tuple(certificate.to_cryptography() for certificate in chain))


def words(code: int) -> str:
    """OpenSSL's own words for an error."""
    said: bytes = ffi.string(lib.X509_verify_cert_error_string(code))
    return said.decode()


_SAID = {
    lib.X509_V_ERR_INVALID_CA: "its basicConstraints or its key usage says that it is no authority",
    lib.X509_V_ERR_INVALID_PURPOSE: "its extended key usage has no clientAuth, so that what it "
    "issues is no client certificate",
    lib.X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION: "it has a critical extension that OpenSSL does "
    "not know",
    lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT: "its authority key identifier names another key "
    "than its own",
}


def objection(certificate: x509.Certificate) -> str:
    """Why nobody could connect below this root, whatever its key; empty if somebody could.

    What depends on the time or on the client's names does not count.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def signed(*parts: bytes) -> bytes:
        tbs = tlv(SEQUENCE, *parts)
        signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        return tlv(SEQUENCE, tbs, _ECDSA_SHA256, tlv(BITS, b"\0", signature))

    tbs, *_ = values(inside(anchor(certificate))) or [b""]
    parts = values(inside(tbs)) or []
    version = parts[:1] if parts[0][0] == 0xA0 else []
    serial, _algorithm, issuer, validity, subject, _key, *rest = parts[len(version) :]
    root = signed(*version, serial, _ECDSA_SHA256, issuer, validity, subject, public, *rest)
    leaf = signed(serial, _ECDSA_SHA256, subject, validity, _CLIENT, public)
    try:
        store_of(anchor(certificate))
        read = crypto.load_certificate(crypto.FILETYPE_ASN1, leaf)
        code = verify(store_of(root), read, (), certificate.not_valid_before_utc).code
    except crypto.Error as error:
        return f"OpenSSL cannot read it: {error.args}"
    return "" if code in (0, *_LATER) else _SAID.get(code, f"OpenSSL: {words(code)}")
