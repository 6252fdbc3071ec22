"""Certificates that lab.pki does not issue: other keys, odd chains, twins, and bytes that no decent
authority would sign. A certificate is its DER here: parsers need not be able to read it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.pki import stock
from lab.pki.authority import Credential

Key = Any
"""A private key of any kind that cryptography signs with."""
Extension = tuple[x509.ExtensionType, bool]
"""And whether it is critical."""

SEQUENCE, INTEGER, BITS = 0x30, 0x02, 0x03
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA_KEY = bytes.fromhex("300d06092a864886f70d0101010500")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
VERSION_3, VERSION_2 = bytes.fromhex("a003020102"), bytes.fromhex("a003020101")
GIANT_BITS, GIANT_EXPONENT = 16384, 2**63 + 1
"""The largest and the slowest RSA key that OpenSSL verifies with."""


@dataclass(frozen=True)
class Forged:
    """A certificate, its key, and the certificates sent after it."""

    der: bytes
    key: Key = field(repr=False)
    others: tuple[bytes, ...] = ()
    subject: bytes = b""
    """DER of its name."""
    is_root: bool = False

    @property
    def thumbprint(self) -> str:
        """As in Azure's list."""
        return hashlib.sha1(self.der).hexdigest().upper()

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate parsed by cryptography; raises what it raises."""
        return x509.load_der_x509_certificate(self.der)

    @property
    def key_pem(self) -> bytes:
        """PKCS #8, not encrypted."""
        plain = serialization.NoEncryption()
        made: bytes = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
        )
        return made

    def showing(self, *others: bytes) -> Forged:
        """The same certificate with these sent after it."""
        return replace(self, others=others)

    def credential(self, name: str) -> Credential:
        """As a lab.pki credential."""
        return Credential(name, self.certificate, self.key)


def from_credential(credential: Credential) -> Forged:
    """From a credential issued by lab.pki."""
    own, *others = (
        one.public_bytes(serialization.Encoding.DER)
        for one in (credential.certificate, *credential.issuers[:-1])
    )
    subject = credential.certificate.subject.public_bytes()
    return Forged(own, credential.key, tuple(others), subject, not credential.issuers)


def tlv(tag: int, *parts: bytes) -> bytes:
    """DER: tag, length, content."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes((tag, len(body))) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(body).to_bytes(size, "big") + body


def content(der: bytes) -> bytes:
    """The content after the outermost tag and length."""
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


def pem(der: bytes) -> bytes:
    """The certificate as PEM, for OpenSSL, whatever it contains."""
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


# ---- keys


def _rsa(bits: int) -> Callable[[], Key]:
    return lambda: rsa.generate_private_key(public_exponent=65537, key_size=bits)


KEYS: dict[str, Callable[[], Key]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA-2048": _rsa(2048),
    "RSA-3072": _rsa(3072),
    "RSA-4096": lambda: secrets.choice(stock.take(10)),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}
"""Kinds of keys by name."""


# ---- issuing


def name(text: str) -> x509.Name:
    """A common name alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*, signs: bool) -> Extension:
    """Key usage of an authority, or of an end entity."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    ), True


def authority(path_length: int | None = None, *more: Extension) -> tuple[Extension, ...]:
    """Extensions of an authority."""
    return (x509.BasicConstraints(True, path_length), True), usage(signs=True), *more


CLIENT: tuple[Extension, ...] = (
    (x509.BasicConstraints(False, None), False),
    usage(signs=False),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
)
"""Extensions of a client."""


def sign(
    subject: str,
    extensions: Sequence[Extension] = CLIENT,
    *,
    by: Forged | None = None,
    issuer: str | None = None,
    key: Key | None = None,
    serial: int | None = None,
    pss: bool = False,
) -> Forged:
    """A certificate signed `by` somebody, in order or not, and by itself where there is nobody.

    It shows its issuer and what that one shows, except for a root.
    """
    key = key or KEYS["P-256"]()
    signer = by.key if by else key
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name(issuer or subject) if issuer or not by else by.certificate.subject,
        name(subject),
        key.public_key(),
        serial or x509.random_serial_number(),
        now - timedelta(days=1),
        now + timedelta(days=30),
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    pads = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH) if pss else None
    made = builder.sign(signer, digest, rsa_padding=pads)
    above = () if by is None or by.is_root else (by.der, *by.others)
    der = made.public_bytes(serialization.Encoding.DER)
    return Forged(der, key, above, made.subject.public_bytes(), is_root=by is None)


def resigned(tbs: bytes, key: Key) -> bytes:
    """A certificate with these signed bytes, signed by a P-256 key."""
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256()))
    return tlv(SEQUENCE, tbs, ECDSA_SHA256, tlv(BITS, b"\0", signature))


# ---- what parsers stumble over


def of_version_2(subject: str, by: Forged) -> Forged:
    """cryptography raises InvalidVersion; charon reads it."""
    plain = sign(subject, by=by).showing(by.der)
    tbs = plain.certificate.tbs_certificate_bytes.replace(VERSION_3, VERSION_2, 1)
    return replace(plain, der=resigned(tbs, by.key))


def not_in_utf8(subject: str, by: Forged) -> Forged:
    """Its names and those of its issuer claim to be UTF-8 and are not."""
    plain, above = sign(subject, by=by), by.certificate.subject.public_bytes()
    names = {one: one[:-3] + b"\xff\xff\xff" for one in (above, plain.subject)}

    def spoilt(certificate: Forged) -> bytes:
        tbs = certificate.certificate.tbs_certificate_bytes
        for good, wrong in names.items():
            tbs = tbs.replace(good, wrong)
        return resigned(tbs, by.key)

    return Forged(spoilt(plain), plain.key, (spoilt(by),), names[plain.subject])


def in_ber(certificate: Forged) -> Forged:
    """Its outermost length has a leading zero: BER, not DER."""
    der = certificate.der
    assert der[1] == 0x82
    return replace(certificate, der=der[:1] + b"\x83\x00" + der[2:])


# ---- twins: other bytes, the same key, and a signature that is still good


def unused_bits_twin(certificate: Forged) -> Forged:
    """Declares one bit of an RSA signature that ends in a zero as unused."""
    der, size = bytearray(certificate.der), len(certificate.certificate.signature)
    assert der[-1] & 1 == 0
    assert der[-size - 1] == 0
    der[-size - 1] = 1
    return replace(certificate, der=bytes(der))


def ecdsa_twin(certificate: Forged) -> Forged:
    """With (r, s) also (r, n - s) is a signature (of P-256)."""
    parsed = certificate.certificate
    r, s = utils.decode_dss_signature(parsed.signature)
    other = utils.encode_dss_signature(r, P256_ORDER - s)
    parts = parsed.tbs_certificate_bytes, ECDSA_SHA256, tlv(BITS, b"\0", other)
    return replace(certificate, der=tlv(SEQUENCE, *parts))


def with_an_even_signature(subject: str, by: Forged) -> Forged:
    """Reissue until the signature ends in a zero bit: every second one does."""
    key = KEYS["P-256"]()
    while True:
        made = sign(subject, by=by, key=key)
        if made.der[-1] & 1 == 0:
            return made


# ---- chains that cost


def namesakes(count: int, key: Key) -> Forged:
    """A client of an authority that there is `count` times, of one name and key: each of them is
    the issuer of each, and a search for a root has count! ways."""
    made = [sign("Namesake", authority(), key=key) for _ in range(count)]
    leaf = sign("mallory", by=made[0])
    return leaf.showing(*(one.der for one in made))


def ladder(
    count: int, kind: str = "RSA-4096", *, by: Forged | None = None, top: str = ""
) -> Forged:
    """A client under so many authorities, the topmost issued by a root, or by nobody whom anybody
    knows: by itself, or in the name of `top`."""
    keys = [KEYS[kind](), KEYS[kind]()]
    made = sign("Ladder 0", authority(), key=keys[0], by=by, issuer=top or None)
    for number in range(1, count):
        above = replace(made, is_root=False)  # it is shown too
        made = sign(f"Ladder {number}", authority(), key=keys[number % 2], by=above)
    return sign("mallory", by=made)


def with_anothers_signature(certificate: Forged) -> Forged:
    """Everything is valid except the client's own signature, which is by a different key."""
    parsed = certificate.certificate
    issuer = str(parsed.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    other = sign("mallory", issuer=issuer, key=certificate.key)
    return replace(certificate, der=other.der)


def giants(count: int) -> Forged:
    """The same with public keys of 16,384 bits, which nobody has the private half of: each check
    of the leaf's signature, which is noise, costs in full."""
    key = KEYS["P-256"]()
    leaf = sign("mallory", issuer="Giant", key=key)
    above = sign("Giant", authority(), key=key)
    noise = b"\1" + secrets.token_bytes(GIANT_BITS // 8 - 1)
    signed = tlv(SEQUENCE, _with_rsa(leaf), RSA_SHA256, tlv(BITS, b"\0", noise))
    spki = above.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    found = []
    for _ in range(count):
        tbs = tlv(SEQUENCE, content(_with_rsa(above)).replace(spki, _giant_key()))
        found.append(tlv(SEQUENCE, tbs, RSA_SHA256, tlv(BITS, bytes(9))))
    return replace(leaf, der=signed, others=tuple(found))


def _with_rsa(certificate: Forged) -> bytes:
    """Its bytes to be signed, as if RSA were to sign them."""
    tbs = certificate.certificate.tbs_certificate_bytes
    return tlv(SEQUENCE, content(tbs).replace(ECDSA_SHA256, RSA_SHA256, 1))


def _giant_key() -> bytes:
    modulus = (1 << GIANT_BITS - 1) | secrets.randbits(GIANT_BITS - 1) | 1
    numbers = tlv(SEQUENCE, _integer(modulus), _integer(GIANT_EXPONENT))
    return tlv(SEQUENCE, RSA_KEY, tlv(BITS, b"\0", numbers))


def _integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
