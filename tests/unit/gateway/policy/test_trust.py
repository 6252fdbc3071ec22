"""Chains of real certificates, verified at a given time, whatever a stranger has put into them."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.common.der import BITS, SEQUENCE, inside, tlv, values
from gateway.common.public_keys import ORDERS
from gateway.policy import trust
from gateway.policy.trust import Finding, Roots, examine, thumbprint

ALL = ("intermediate", "second-intermediate", "other-root", "root", "alice")


def der(pki: Any, *names: str) -> tuple[bytes, ...]:
    return tuple(pki[name].public_bytes(Encoding.DER) for name in names)


def look(pki: Any, name: str, others: tuple[str, ...] = ALL, days: int = 0) -> Finding:
    return examine(der(pki, name, *others), Roots((pki["root"],)), pki.now + timedelta(days=days))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("alice", None),
        ("bob", None),
        ("carol", None),
        ("any-usage", "no-client-auth"),  # as OpenSSL has it, and so OpenVPN
        ("no-usages", None),
        ("mallory", "untrusted"),
        ("expired", "expired"),
        ("future", "not-yet-valid"),
        ("server-only", "no-client-auth"),
    ],
)
def test_the_reason_of_each_certificate(name: str, reason: str | None, pki: Any) -> None:
    finding = look(pki, name)
    assert finding.reason == reason
    assert finding.identity
    assert finding.identity.user == name
    assert finding.identity.thumbprints[0] == thumbprint(pki[name])
    assert finding.root == ("" if reason else thumbprint(pki["root"]))


def test_without_its_intermediate_a_certificate_is_untrusted(pki: Any) -> None:
    assert look(pki, "bob", others=("root",)).reason == "untrusted"


def test_a_root_that_the_client_sends_is_no_root(pki: Any) -> None:
    assert look(pki, "mallory", others=("other-root",)).reason == "untrusted"


def test_a_client_certificate_issues_nothing(pki: Any) -> None:
    pki.issue("forged", "alice")
    assert look(pki, "forged", others=("alice",)).reason == "untrusted"


def test_an_issuer_of_the_same_name_with_another_key_does_not_count(pki: Any) -> None:
    pki.keys["impostor"] = ec.generate_private_key(ec.SECP256R1())
    pki.certificates["impostor"] = pki["root"]  # its name, not its key
    pki.issue("victim", "impostor")
    assert look(pki, "victim").reason == "untrusted"


def test_a_root_renewed_under_its_name_serves_beside_the_old_one(pki: Any) -> None:
    pki.issue("renewed", authority=True, common_name="root")
    pki.issue("new", "renewed")
    for roots in ((pki["root"], pki["renewed"]), (pki["renewed"], pki["root"])):
        found = {
            name: examine(der(pki, name), Roots(roots), pki.now).root for name in ("alice", "new")
        }
        assert found == {
            "alice": thumbprint(pki["root"]),
            "new": thumbprint(pki["renewed"]),
        }


@pytest.mark.parametrize(
    ("client", "others", "message"),
    [
        (
            "bob",
            (),
            "CN=bob: issued by CN=intermediate, which is no uploaded root and was not sent",
        ),
        ("carol", ("second-intermediate",), "CN=second-intermediate: issued by CN=intermediate"),
        ("mallory", (), "CN=mallory: issued by CN=other-root, which is no uploaded root"),
        ("mallory", ("other-root",), "CN=other-root: self-signed, and not an uploaded root"),
    ],
)
def test_it_is_said_where_a_chain_ends(
    pki: Any, client: str, others: tuple[str, ...], message: str
) -> None:
    assert message in look(pki, client, others=others).message


def test_a_weak_signature_is_not_called_an_unknown_root(pki: Any) -> None:
    sha1 = bytes.fromhex("06072a8648ce3d0401")
    old = tlv(SEQUENCE, *_with(pki["alice"], tlv(SEQUENCE, sha1)))
    finding = examine((old,), Roots((pki["root"],)), pki.now)
    assert finding.reason == "untrusted"
    assert finding.message == "CN=alice: signed with ecdsa-with-SHA1, which is not accepted"


def _with(certificate: x509.Certificate, algorithm: bytes) -> tuple[bytes, bytes, bytes]:
    """The certificate's parts with another algorithm."""
    version, serial, _, *rest = values(inside(certificate.tbs_certificate_bytes)) or []
    tbs = tlv(SEQUENCE, version, serial, algorithm, *rest)
    return tbs, algorithm, tlv(BITS, b"\0", certificate.signature)


def test_of_two_roots_of_one_name_the_one_that_knows_more_is_heard(pki: Any) -> None:
    pki.issue("again", authority=True, common_name="root")
    pki.issue("late", "root", days=(-9, -2))
    for roots in ((pki["root"], pki["again"]), (pki["again"], pki["root"])):
        assert examine(der(pki, "late"), Roots(roots), pki.now).reason == "expired"


def test_the_same_root_twice_serves(pki: Any) -> None:
    found = examine(der(pki, "alice"), Roots((pki["root"], pki["root"])), pki.now)
    assert found.root == thumbprint(pki["root"])


def test_a_cross_signed_root_serves_under_either_root(pki: Any) -> None:
    """The new root's key, certified by the old root, sent along by the client."""
    pki.issue("newer", authority=True)
    pki.issue("eve", "newer")
    builder = x509.CertificateBuilder(
        pki["root"].subject, pki["newer"].subject, pki["newer"].public_key(), 7,
        pki.now - timedelta(days=1), pki.now + timedelta(days=9),
    ).add_extension(*CA)  # fmt: skip
    pki.certificates["cross"] = builder.sign(pki.keys["root"], hashes.SHA256())
    for uploaded in (("root",), ("newer",), ("root", "newer"), ("newer", "root")):
        roots = Roots([pki[name] for name in uploaded])
        found = examine(der(pki, "eve", "cross"), roots, pki.now)
        assert found.reason is None
        assert found.root in {thumbprint(pki[name]) for name in uploaded}


def test_an_expired_intermediate_is_reported(pki: Any) -> None:
    pki.issue("old", "root", authority=True, days=(-9, -2))
    pki.issue("dora", "old")
    finding = look(pki, "dora", others=("old",))
    assert (finding.reason, "depth 1" in finding.message) == ("expired", True)


def test_time_decides(pki: Any) -> None:
    assert look(pki, "alice", days=31).reason == "expired"
    assert look(pki, "future", days=6).reason is None


# ------------------------------------------------------------------- as OpenSSL, and so OpenVPN


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(pki: Any, common_name: str, issuer: str, *extensions: tuple[Any, bool]) -> str:
    """A certificate with just these extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(pki[issuer].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(pki.now - timedelta(days=1))
        .not_valid_after(pki.now + timedelta(days=9))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    pki.certificates[common_name] = builder.sign(pki.keys[issuer], hashes.SHA256())
    pki.keys[common_name] = key
    return common_name


CA = x509.BasicConstraints(ca=True, path_length=None), True
CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False
NO_SIGNING = (
    x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=True,
        encipher_only=False, decipher_only=False,
    ),
    True,
)  # fmt: skip
ELSEWHERE = x509.NameConstraints([x509.DNSName("corp.test")], None), True
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.7"), b"\5\0"), True
OUTSIDE = x509.SubjectAlternativeName([x509.DNSName("other.test")]), False


@pytest.mark.parametrize(
    ("authority", "own", "others", "message"),
    [
        ((CA,), (CLIENT,), (), ""),
        ((CA, NO_SIGNING), (CLIENT,), (), "invalid CA certificate"),
        ((CA, SERVER), (CLIENT,), (), "unsuitable certificate purpose"),
        ((CA, ELSEWHERE), (CLIENT, OUTSIDE), (), "permitted subtree violation"),
        ((CA,), (CLIENT, UNKNOWN), (), "unhandled critical extension"),
        ((), (CLIENT,), (), "invalid CA certificate"),
        (
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (CLIENT,),
            (CA,),
            "path length constraint exceeded",
        ),
    ],
    ids=["good", "no keyCertSign", "serverAuth", "name", "unknown critical", "no CA", "too long"],
)
def test_a_chain_that_openssl_refuses_is_refused(
    pki: Any, authority: Any, own: Any, others: Any, message: str
) -> None:
    extensions = (authority,) if authority and not isinstance(authority[0], tuple) else authority
    above = issue(pki, "authority", "root", *extensions)
    chain = [above]
    if others:
        above = issue(pki, "below", above, *others)
        chain.append(above)
    leaf = issue(pki, "zoe", above, *own)
    finding = examine(der(pki, leaf, *chain), Roots((pki["root"],)), pki.now)
    assert (finding.reason is None) == (not message)
    assert message in finding.message
    assert finding.reason in {None, "untrusted"}


def test_the_root_that_azures_own_article_makes_is_one(pki: Any) -> None:
    """Key usage certSign, no basicConstraints (RFC 5280 6.1.1 d asks nothing of an anchor)."""
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    pki.keys["P2SRootCert"] = ec.generate_private_key(ec.SECP256R1())
    pki.certificates["P2SRootCert"] = _self_signed(pki, "P2SRootCert", usage)
    leaf = issue(pki, "P2SChildCert", "P2SRootCert", CLIENT)
    assert examine(der(pki, leaf), Roots((pki["P2SRootCert"],)), pki.now).reason is None


def _self_signed(pki: Any, common_name: str, usage: x509.KeyUsage) -> x509.Certificate:
    key = pki.keys[common_name]
    return (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(name(common_name))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(pki.now - timedelta(days=1))
        .not_valid_after(pki.now + timedelta(days=9))
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


# ------------------------------------------------------------------------- what strangers send


def test_many_authorities_of_one_name_cost_nothing(
    pki: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signature checks are expensive: only roots' keys verify any, never a stranger's."""
    key = ec.generate_private_key(ec.SECP256R1())
    pki.keys["x"] = key
    pki.issue("x", authority=True)
    ring = [pki.issue("x", "x", authority=True) for _ in range(24)]
    leaf = pki.issue("y", "x")
    asked: list[Any] = []
    real = trust.verify
    monkeypatch.setattr(trust, "verify", lambda *a: asked.append(a) or real(*a))
    chain = [c.public_bytes(Encoding.DER) for c in (leaf, *ring)]
    for length in (9, 25):
        assert examine(chain[:length], Roots((pki["root"],)), pki.now).reason == "untrusted"
    assert asked == []


def _keyed(pki: Any, key: Any) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("big"))
        .issuer_name(pki["root"].subject)
        .public_key(key)
        .serial_number(1)
        .not_valid_before(pki.now - timedelta(days=1))
        .not_valid_after(pki.now + timedelta(days=9))
    )
    return builder.sign(pki.keys["root"], hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("bits", "exponent", "taken"),
    [(1024, 65537, True), (4096, 3, True), (4104, 65537, False), (16384, 65537, False),
     (512, 65537, False), (2048, 2**63 + 1, False), (2048, 5, False)],
)  # fmt: skip
def test_expensive_keys_are_not_used(pki: Any, bits: int, exponent: int, taken: bool) -> None:
    modulus = (1 << (bits - 1)) | random.Random(bits).getrandbits(bits - 1) | 1
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    finding = examine((_keyed(pki, key),), Roots((pki["root"],)), pki.now)
    assert (finding.reason is None) == taken
    if not taken:
        assert "RSA key" in finding.message
    issuers = examine((*der(pki, "alice"), _keyed(pki, key)), Roots((pki["root"],)), pki.now)
    assert (issuers.reason is None) == taken


def test_an_uploaded_root_may_be_sent_along_whatever_its_key(pki: Any) -> None:
    chain = (*der(pki, "alice", "root"), b"not read")
    finding = examine(chain[:2], Roots((pki["root"],)), pki.now)
    assert finding.reason is None
    assert pki["root"].public_bytes(Encoding.DER) in Roots((pki["root"],))


SHA256_ECDSA = bytes.fromhex("06082a8648ce3d040302")
BASIC_CONSTRAINTS, AUTHORITY_KEY = bytes.fromhex("0603551d13"), bytes.fromhex("0603551d23")
KEY_USAGES, VERSION_3 = bytes.fromhex("0603551d25"), bytes.fromhex("a003020102")


def strange(pki: Any) -> dict[str, tuple[bytes, ...]]:
    (alice,) = der(pki, "alice")
    (bob, intermediate) = der(pki, "bob", "intermediate")
    unknown = bytes.fromhex("06082a8648ce3d04037f")
    illegible = alice.replace(b"\x0c\x05alice", b"\x0c\x05\xff\xfe\xfd\xfc\xfb")
    signed_strangely = intermediate.replace(SHA256_ECDSA, unknown)
    return {
        "nothing": (),
        "empty": (b"",),
        "nonsense": (b"\x30\x82\xff\xff" + bytes(64),),
        "cut short": (alice[:-1],),
        "a byte more": (alice + b"\0",),
        "longer lengths": (b"\x30\x83\x00" + alice[2:],),
        "an unknown signature algorithm": (alice.replace(SHA256_ECDSA, unknown),),
        "an intermediate of nonsense": (bob, b"\x30\x00"),
        "an intermediate of an unknown algorithm": (bob, signed_strangely),
        "a broken extension": (bob, intermediate.replace(BASIC_CONSTRAINTS, AUTHORITY_KEY)),
        "an extension twice": (bob, alice.replace(KEY_USAGES, BASIC_CONSTRAINTS)),
        "version 2": (alice.replace(VERSION_3, bytes.fromhex("a003020101")),),
        "version 9": (alice.replace(VERSION_3, bytes.fromhex("a003020108")),),
        "a name that is no UTF-8": (illegible,),
        "too many": tuple(der(pki, "bob", *["intermediate"] * 9)),
        "too large": (bytes(20000),),
    }  # fmt: skip


@pytest.mark.parametrize(
    "what",
    [
        "nothing", "empty", "nonsense", "cut short", "a byte more", "longer lengths",
        "an unknown signature algorithm", "an intermediate of nonsense",
        "an intermediate of an unknown algorithm", "a broken extension", "an extension twice",
        "version 2", "version 9", "a name that is no UTF-8", "too many", "too large",
    ],
)  # fmt: skip
def test_a_strange_chain_is_refused_and_nothing_is_raised(pki: Any, what: str) -> None:
    chain = strange(pki)[what]
    assert chain != der(pki, "alice")
    finding = examine(chain, Roots((pki["root"],)), pki.now)
    assert finding.reason == ("no-certificate" if what == "nothing" else "untrusted")


def test_every_strange_chain_is_tried(pki: Any) -> None:
    marks = test_a_strange_chain_is_refused_and_nothing_is_raised.pytestmark  # type: ignore[attr-defined]
    assert set(strange(pki)) == set(marks[0].args[1])


def test_a_fault_of_our_own_is_not_the_clients(pki: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: object) -> None:
        raise ImportError("a module that was not read in time")

    monkeypatch.setattr(trust, "user_name", missing)
    with pytest.raises(ImportError):
        look(pki, "alice")


# ----------------------------------------------------------------------------------------- twins


def twin(certificate: x509.Certificate) -> bytes:
    """The same certificate with the other ECDSA signature, which anybody can make."""
    r, s = decode_dss_signature(certificate.signature)
    signature = encode_dss_signature(r, ORDERS["secp256r1"] - s)
    return trust._certificate(certificate.tbs_certificate_bytes, signature)


def test_both_signatures_of_an_ecdsa_certificate_are_good_and_each_names_the_other(
    pki: Any,
) -> None:
    (own,), other = der(pki, "alice"), twin(pki["alice"])
    roots = Roots((pki["root"],))
    first, second = (examine((one,), roots, pki.now) for one in (own, other))
    assert first.reason is second.reason is None
    assert first.identity
    assert second.identity
    assert first.identity.thumbprints == tuple(reversed(second.identity.thumbprints))
    assert first.identity.thumbprints[0] == thumbprint(pki["alice"])


@pytest.fixture(scope="module")
def rsa_pki(pki: Any) -> tuple[x509.Certificate, x509.Certificate]:
    """Root and leaf, whose signature ends in four zero bits."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)

    def make(subject: str, *, authority: bool, serial: int) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("rsa root"))
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(pki.now - timedelta(days=1))
            .not_valid_after(pki.now + timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )

    leaves = (make("erin", authority=False, serial=serial) for serial in range(1, 1000))
    leaf = next(leaf for leaf in leaves if leaf.signature[-1] & 15 == 0)
    return make("rsa root", authority=True, serial=1), leaf


@pytest.mark.parametrize("unused", range(1, 8))
def test_unused_bits_of_a_signature_make_no_new_certificate(
    rsa_pki: tuple[x509.Certificate, x509.Certificate], pki: Any, unused: int
) -> None:
    root, leaf = rsa_pki
    changed = bytearray(leaf.public_bytes(Encoding.DER))
    assert changed[-129] == 0
    assert examine((bytes(changed),), Roots((root,)), pki.now).reason is None
    changed[-129] = unused
    assert examine((bytes(changed),), Roots((root,)), pki.now).reason == "untrusted"


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_no_changed_byte_makes_another_good_certificate(
    pki: Any, rsa_pki: tuple[x509.Certificate, x509.Certificate], kind: str
) -> None:
    """A certificate that is still valid has the revoked thumbprint, or its twin's."""
    root, leaf = rsa_pki if kind == "RSA" else (pki["root"], pki["alice"])
    roots, own = Roots((root,)), leaf.public_bytes(Encoding.DER)
    chance = random.Random(7)
    for at in range(len(own)):
        flips = {1 << bit for bit in range(8)} | {chance.randrange(1, 256)}
        for flip in flips:
            changed = bytearray(own)
            changed[at] ^= flip
            finding = examine((bytes(changed),), roots, pki.now)
            assert finding.reason, (at, flip)
