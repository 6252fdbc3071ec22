"""Which roots OpenSSL takes, and the form in which it is given them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from gateway.arm.rules.certificates import certificate_flaw, root_flaw
from gateway.common.anchors import anchor
from gateway.common.der import BITS, SEQUENCE, inside, tlv, values
from gateway.common.public_keys import LARGEST
from gateway.policy.trust import Roots, examine, thumbprint

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Extension = tuple[x509.ExtensionType, bool]


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*, signs: bool) -> Extension:
    return x509.KeyUsage(
        digital_signature=not signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs, crl_sign=False,
        encipher_only=False, decipher_only=False,
    ), True  # fmt: skip


def constraints(*, ca: bool, critical: bool = True, length: int | None = None) -> Extension:
    return x509.BasicConstraints(ca, length), critical


def unknown(*, critical: bool) -> Extension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.7"), b"\5\0"), (
        critical
    )


def purposes(*usages: x509.ObjectIdentifier) -> Extension:
    return x509.ExtendedKeyUsage(usages), False


def key_identifier(digest: bytes) -> Extension:
    return x509.AuthorityKeyIdentifier(digest, None, None), False


def issue(
    subject: x509.Name,
    *extensions: Extension,
    key: Any = None,
    by: tuple[x509.Certificate, Any] | None = None,
    digest: Any = None,
    **options: Any,
) -> tuple[x509.Certificate, Any]:
    """A certificate and its key; self-signed without `by`."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    issuer, signer = (by[0].subject, by[1]) if by else (subject, key)
    begin, end = options.get("valid", (NOW - timedelta(days=1), NOW + timedelta(days=9)))
    serial = options.get("serial", x509.random_serial_number())
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial, begin, end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    if not isinstance(signer, ed25519.Ed25519PrivateKey):
        digest = digest or hashes.SHA256()
    return builder.sign(signer, digest), key


CLIENT = purposes(ExtendedKeyUsageOID.CLIENT_AUTH)
SERVER = purposes(ExtendedKeyUsageOID.SERVER_AUTH)
ROOTS: dict[str, tuple[tuple[Extension, ...], str]] = {
    "an authority": ((constraints(ca=True), usage(signs=True)), ""),
    "as Azure's article makes it": ((usage(signs=True),), ""),
    "as MakeCert makes it": ((), ""),
    "with other extensions alone": ((unknown(critical=False),), ""),
    "for client certificates alone": ((constraints(ca=True), CLIENT), ""),
    "with path length 0": ((constraints(ca=True, length=0),), ""),
    "with constraints that are not critical": ((constraints(ca=True, critical=False),), ""),
    "with name constraints": (
        (constraints(ca=True), (x509.NameConstraints([x509.DirectoryName(name("x"))], None), True)),
        "",
    ),
    "no authority": ((constraints(ca=False),), "says that it is no authority"),
    "no certSign": ((constraints(ca=True), usage(signs=False)), "says that it is no authority"),
    "a self-signed client": ((usage(signs=False), CLIENT), "says that it is no authority"),
    "for servers alone": ((constraints(ca=True), SERVER), "no clientAuth"),
    "unknown and critical": ((constraints(ca=True), unknown(critical=True)), "critical extension"),
    "another's key identifier": (
        (
            constraints(ca=True),
            (x509.SubjectKeyIdentifier(b"1" * 20), False),
            key_identifier(b"2" * 20),
        ),
        "authority key identifier",
    ),
}


@pytest.mark.parametrize("root", ROOTS)
def test_what_is_refused_admits_nobody_and_what_is_taken_admits_clients(root: str) -> None:
    extensions, words = ROOTS[root]
    made = issue(name("root"), *extensions)
    client, _ = issue(name("x"), CLIENT, by=made)
    flaw = root_flaw(made[0])
    finding = examine((der(client),), Roots((made[0],)), NOW)
    assert (finding.reason is None) == (flaw is None) == (not words)
    if flaw:
        assert words in flaw.what
        assert flaw.remedy
    else:
        assert finding.root == thumbprint(made[0])


def test_only_a_root_that_says_nothing_about_itself_is_amended() -> None:
    for extensions, _ in ROOTS.values():
        root, _ = issue(name("root"), *extensions)
        told = any(isinstance(e, x509.BasicConstraints | x509.KeyUsage) for e, _ in extensions)
        assert (anchor(root) == der(root)) == told
    bare, _ = issue(name("root"))
    amended = x509.load_der_x509_certificate(anchor(bare))
    assert amended.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (amended.subject, amended.public_key()) == (bare.subject, bare.public_key())
    assert amended.not_valid_after_utc == bare.not_valid_after_utc


def test_a_root_of_version_1_is_taken_as_it_is() -> None:
    made = issue(name("root"))
    _, *fields = values(inside(made[0].tbs_certificate_bytes)) or []
    tbs = tlv(SEQUENCE, *fields)
    signature = made[1].sign(tbs, ec.ECDSA(hashes.SHA256()))
    signed = tlv(
        SEQUENCE, tbs, bytes.fromhex("300a06082a8648ce3d040302"), tlv(BITS, b"\0", signature)
    )
    root = x509.load_der_x509_certificate(signed)
    client, _ = issue(name("x"), CLIENT, by=(root, made[1]))
    assert root_flaw(root) is None
    assert anchor(root) == signed
    assert examine((der(client),), Roots((root,)), NOW).reason is None


@pytest.mark.parametrize(
    ("make", "taken"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), True),
        (lambda: rsa.generate_private_key(3, 2048), True),
        (lambda: ec.generate_private_key(ec.SECP521R1()), True),
        (ed25519.Ed25519PrivateKey.generate, True),
        (lambda: ec.generate_private_key(ec.SECP256K1()), False),
        (lambda: ec.generate_private_key(ec.BrainpoolP256R1()), False),
    ],
    ids=["RSA 1024", "exponent 3", "P-521", "Ed25519", "secp256k1", "Brainpool"],
)
def test_a_key_is_taken_or_named(make: Any, taken: bool) -> None:
    root, _ = issue(name("root"), constraints(ca=True), key=make())
    flaw = certificate_flaw(base64.b64encode(der(root)).decode())
    assert (flaw is None) == taken
    assert taken or "key" in str(flaw and flaw.what)


def test_the_algorithm_of_a_roots_own_signature_does_not_matter() -> None:
    key = rsa.generate_private_key(65537, 1024)
    made, _ = issue(name("root"), constraints(ca=True), key=key)
    sha256, sha1 = bytes.fromhex("0b0500"), bytes.fromhex("050500")  # the ends of the algorithms
    tbs = made.tbs_certificate_bytes.replace(
        b"\xf7\x0d\x01\x01" + sha256, b"\xf7\x0d\x01\x01" + sha1
    )
    algorithm = bytes.fromhex("300d06092a864886f70d0101") + sha1
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    root = x509.load_der_x509_certificate(
        tlv(SEQUENCE, tbs, algorithm, tlv(BITS, b"\0", signature))
    )
    client, _ = issue(name("x"), CLIENT, by=(root, key))
    assert root.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_SHA1
    assert root_flaw(root) is None
    assert examine((der(client),), Roots((root,)), NOW).reason is None


def test_a_namesakes_signature_is_told() -> None:
    old = issue(name("root"), constraints(ca=True))
    cross, _ = issue(name("root"), constraints(ca=True), by=old)
    flaw = root_flaw(cross)
    assert flaw
    assert flaw.what == "it is signed by another key of CN=root, and not self-signed"


@pytest.mark.parametrize(
    ("valid", "serial"),
    [
        ((datetime(1950, 1, 1, tzinfo=UTC), datetime(1951, 1, 1, tzinfo=UTC)), 1),
        ((datetime(9998, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)), 2**158),
        ((NOW + timedelta(days=1), NOW + timedelta(days=2)), 7),
    ],
)
def test_time_is_no_flaw_and_says_so_later(valid: Any, serial: int) -> None:
    made = issue(name("root"), constraints(ca=True), valid=valid, serial=serial)
    client, _ = issue(name("x"), CLIENT, by=made)
    assert root_flaw(made[0]) is None
    finding = examine((der(client),), Roots((made[0],)), NOW)
    assert finding.reason in {"expired", "not-yet-valid"}
    assert "CN=root, an issuer at depth 1" in finding.message


def test_a_name_in_another_encoding_is_the_same_name() -> None:
    """RFC 5280 7.1: Windows writes PrintableString where OpenSSL writes UTF8String."""
    printable = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "P2S Root", x509.name._ASN1Type.PrintableString)]
    )
    root = issue(printable, constraints(ca=True))
    client, _ = issue(name("x"), CLIENT, by=(issue(name("p2s  root"))[0], root[1]))
    assert examine((der(client),), Roots((root[0],)), NOW).reason is None


def test_a_root_that_is_too_large_is_refused() -> None:
    long = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\4\0" * LARGEST)
    root, _ = issue(name("root"), constraints(ca=True), (long, False))
    flaw = certificate_flaw(base64.b64encode(der(root)).decode())
    assert flaw
    assert f"not {LARGEST} at most" in flaw.what


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
