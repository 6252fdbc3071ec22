"""An identity in the forms that people have it: what is taken, and what is said of the rest."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)

from lab.topology.reading.identities import Files, Flaw, Identity, read_identity

PASSWORD = "Pässwörd ☃ '\"\\ "
LOCK = BestAvailableEncryption(PASSWORD.encode())


@dataclass(frozen=True)
class Made:
    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def secret(
        self,
        form: PrivateFormat = PrivateFormat.PKCS8,
        encoding: Encoding = Encoding.PEM,
        *,
        locked: bool = False,
    ) -> bytes:
        lock = LOCK if locked else NoEncryption()
        data: bytes = self.key.private_bytes(encoding, form, lock)
        return data


@cache
def made(name: str, issuer: str | None = None, kind: str = "ec") -> Made:
    key: Any = {
        "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        "rsa": lambda: rsa.generate_private_key(65537, 1024),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
    }[kind]()
    signer = made(*ABOVE[issuer]) if issuer else None
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        signer.certificate.subject if signer else subject, subject, key.public_key(),
        x509.random_serial_number(), now, now + timedelta(1),
    )  # fmt: skip
    hashed = None if not signer and kind.startswith("ed") else hashes.SHA256()
    return Made(builder.sign(signer.key if signer else key, hashed), key)


ABOVE: dict[str, tuple[str, str | None]] = {
    "root": ("root", None), "policy": ("policy", "root"), "issuing": ("issuing", "policy"),
}  # fmt: skip


def alice(kind: str = "ec") -> Made:
    return made("alice", "issuing", kind)


def chain() -> list[Made]:
    return [made(*ABOVE["issuing"]), made(*ABOVE["policy"])]


def p12(own: Made | None, others: list[Made], *, old: bool = False, locked: bool = True) -> bytes:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1)
    if old:
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(
            hashes.SHA1()
        )
    lock = builder.build(PASSWORD.encode()) if locked else NoEncryption()
    return pkcs12.serialize_key_and_certificates(
        b"alice", own.key if own else None, own.certificate if own else None,
        [one.certificate for one in others], lock,
    )  # fmt: skip


def read(
    place: Path, content: bytes, key: bytes | None = None, password: str | None = None,
    *, needs_key: bool = True,
) -> tuple[Identity | None, list[Flaw]]:  # fmt: skip
    (place / "a.pem").write_bytes(content)
    if key is not None:
        (place / "a.key").write_bytes(key)
    files = Files(place, "a.pem", None if key is None else "a.key", password)
    return read_identity(files, needs_key=needs_key)


def taken(place: Path, content: bytes, key: bytes | None = None, **options: Any) -> Identity:
    identity, flaws = read(place, content, key, **options)
    assert identity, [flaw.message for flaw in flaws]
    return identity


def names(identity: Identity) -> list[str]:
    return [one.subject.rfc4514_string() for one in (identity.certificate, *identity.issuers)]


WHOLE = ["CN=alice", "CN=issuing", "CN=policy"]
ALICE = ["CN=alice"]
FORMS: dict[str, tuple[Callable[[], tuple[bytes, bytes | None]], str | None, list[str]]] = {
    "pem": (lambda: (alice().pem, alice().secret()), None, ALICE),
    "chain": (
        lambda: (alice().pem + b"".join(one.pem for one in chain()), alice().secret()),
        None,
        WHOLE,
    ),
    "any order": (
        lambda: (chain()[1].pem + alice().pem + chain()[0].pem, alice().secret()), None, WHOLE,
    ),
    "one file": (
        lambda: (alice().secret() + alice().pem + b"".join(o.pem for o in chain()), None),
        None,
        WHOLE,
    ),
    "bag attributes": (
        lambda: (
            b"Bag Attributes\n    localKeyID: 75 3A\nsubject=CN = -----x\n" + alice().pem
            + b"Bag Attributes: <Empty Attributes>\nKey Attributes\n" + alice().secret(),
            None,
        ),
        None,
        ALICE,
    ),
    "twice": (lambda: (alice().pem * 2 + alice().secret() * 2, None), None, ALICE),
    "line ends and a byte order mark": (
        lambda: (b"\xef\xbb\xbf" + alice().pem.replace(b"\n", b"\r\n"), alice().secret()),
        None,
        ALICE,
    ),
    "utf-16": (lambda: (alice().pem.decode().encode("utf-16"), alice().secret()), None, ALICE),
    "der": (lambda: (alice().der, alice().secret(encoding=Encoding.DER)), None, ALICE),
    "base64": (lambda: (base64.encodebytes(alice().der), alice().secret()), None, ALICE),
    "pkcs #1": (
        lambda: (
            alice("rsa").pem,
            alice("rsa").secret(PrivateFormat.TraditionalOpenSSL, Encoding.DER),
        ),
        None,
        ALICE,
    ),
    "sec 1": (
        lambda: (alice().pem, alice().secret(PrivateFormat.TraditionalOpenSSL)), None, ALICE,
    ),
    "ed25519": (lambda: (alice("ed25519").pem, alice("ed25519").secret()), None, ALICE),
    "ed448": (lambda: (alice("ed448").pem, alice("ed448").secret()), None, ALICE),
    "locked key": (lambda: (alice().pem, alice().secret(locked=True)), PASSWORD, ALICE),
    "locked key in der": (
        lambda: (alice().pem, alice().secret(encoding=Encoding.DER, locked=True)), PASSWORD, ALICE,
    ),
    "locked key of old": (
        lambda: (alice().pem, alice().secret(PrivateFormat.TraditionalOpenSSL, locked=True)),
        PASSWORD,
        ALICE,
    ),
    "pfx": (lambda: (p12(alice(), chain()), None), PASSWORD, WHOLE),
    "pfx of old": (lambda: (p12(alice(), chain(), old=True), None), PASSWORD, WHOLE),
    "pfx without a password": (lambda: (p12(alice(), chain(), locked=False), None), None, WHOLE),
    "certificate and pfx": (lambda: (alice().der, p12(alice(), chain())), PASSWORD, WHOLE),
    "p7b": (
        lambda: (
            pkcs7.serialize_certificates(
                [alice().certificate, *(one.certificate for one in chain())], Encoding.DER
            ),
            alice().secret(),
        ),
        None,
        WHOLE,
    ),
    "p7b in pem": (
        lambda: (
            pkcs7.serialize_certificates([alice().certificate], Encoding.PEM), alice().secret(),
        ),
        None,
        ALICE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_an_identity_is_taken_whole(tmp_path: Path, form: str) -> None:
    make, password, wanted = FORMS[form]
    identity = taken(tmp_path, *make(), password=password)
    assert names(identity) == wanted
    assert identity.key is not None
    assert identity.key.public_key() == identity.certificate.public_key()


@pytest.mark.parametrize("cipher", ["PBE-SHA1-RC2-40", "PBE-SHA1-3DES", "AES-256-CBC"])
def test_what_openssl_exports_is_taken(tmp_path: Path, cipher: str) -> None:
    (tmp_path / "all.pem").write_bytes(alice().secret() + alice().pem + chain()[0].pem)
    argv = ["openssl", "pkcs12", "-export", "-legacy", "-in", "all.pem", "-certpbe", cipher,
            "-keypbe", "PBE-SHA1-3DES", "-passout", "stdin"]  # fmt: skip
    done = subprocess.run(argv, input=b"secret\n", cwd=tmp_path, capture_output=True, check=True)
    assert names(taken(tmp_path, done.stdout, password="secret")) == WHOLE[:2]


def test_both_certificates_of_a_cross_signed_issuer_are_taken(tmp_path: Path) -> None:
    policy, other = made("policy", "root"), made("other", None)
    now = datetime.now(UTC)
    crossed = x509.CertificateBuilder(
        other.certificate.subject, policy.certificate.subject, policy.key.public_key(), 5, now,
        now + timedelta(1),
    ).sign(other.key, hashes.SHA256()).public_bytes(Encoding.PEM)  # fmt: skip
    content = alice().pem + b"".join(one.pem for one in chain()) + crossed
    assert names(taken(tmp_path, content, alice().secret())) == [*WHOLE, "CN=policy"]


def test_the_password_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.pfx").write_bytes(p12(alice(), []))
    (tmp_path / "word").write_bytes(PASSWORD.encode() + b"\r\nsecond\n")
    files = Files(tmp_path, "a.pfx", password_file="word")
    assert read_identity(files, needs_key=True)[0]
    (tmp_path / "word").write_bytes(b"\n")
    [flaw] = read_identity(files, needs_key=True)[1]
    assert (flaw.part, flaw.message) == ("passwordFile", "word: its first line is empty")


def test_of_an_authority_the_lowest_certificate_counts(tmp_path: Path) -> None:
    content = b"".join(one.pem for one in reversed(chain()))
    assert names(taken(tmp_path, content, needs_key=False)) == WHOLE[1:]


REFUSED: dict[str, tuple[Callable[[], tuple[bytes, bytes | None]], str | None, str]] = {
    "nothing": (lambda: (b"", alice().secret()), None, "neither a certificate nor a private key"),
    "text": (lambda: (b"hello", None), None, "neither a certificate nor a private key"),
    "cut": (lambda: (alice().pem[:-30], alice().secret()), None, "a block is not complete"),
    "damaged": (
        lambda: (alice().pem.replace(alice().pem[28:32], b"AAAA"), alice().secret()),
        None,
        "its certificate cannot be read",
    ),
    "damaged key": (
        lambda: (alice().pem, alice().secret()[:40] + b"AAAA" + alice().secret()[44:]),
        None,
        "its private key cannot be read",
    ),
    "key alone": (lambda: (alice().secret(), None), None, "no certificate is in it"),
    "certificate alone": (lambda: (alice().pem, None), None, "a certificate without its key"),
    "no key in the key's file": (
        lambda: (alice().pem, alice().pem), None, "no private key is in it",
    ),
    "pfx without a key": (
        lambda: (p12(None, [alice()]), None), PASSWORD, "a certificate without its key",
    ),
    "another's key": (lambda: (alice().pem, made("x").secret()), None, "not the key of a.pem"),
    "another's key in one file": (
        lambda: (alice().pem + made("x").secret(), None), None, "belongs to none of its",
    ),
    "two keys": (
        lambda: (alice().pem + alice().secret() + made("x").secret(), None),
        None,
        "2 private keys",
    ),
    "two identities": (
        lambda: (alice().pem + made("x").pem, alice().secret()),
        None,
        "not in the chain of CN=alice: CN=x",
    ),
    "two identities in a pfx": (
        lambda: (p12(alice(), [made("x")]), None), PASSWORD, "not in the chain of CN=alice: CN=x",
    ),
    "locked": (lambda: (p12(alice(), []), None), None, "it has a password"),
    "locked key": (lambda: (alice().pem, alice().secret(locked=True)), None, "it has a password"),
    "wrong password": (lambda: (p12(alice(), []), None), "wrong", "password does not open a.pem"),
    "wrong password of a key": (
        lambda: (alice().pem, alice().secret(locked=True)), "wrong", "does not open a.key",
    ),
    "wrong password of an old key": (
        lambda: (alice().pem, alice().secret(PrivateFormat.TraditionalOpenSSL, locked=True)),
        "wrong",
        "does not open a.key",
    ),
    "needless password": (
        lambda: (alice().pem, alice().secret()), "x", "a.pem and a.key: no password is needed",
    ),
    "dsa": (
        lambda: (
            alice().pem,
            dsa.generate_private_key(1024).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
        ),
        None,
        "neither RSA nor of an elliptic curve",
    ),
    "public key": (
        lambda: (
            alice().pem
            + alice().key.public_key().public_bytes(
                Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
            ),
            alice().secret(),
        ),
        None,
        "-----BEGIN PUBLIC KEY-----",
    ),
    "request": (
        lambda: (alice().pem.replace(b" CERTIFICATE-", b" CERTIFICATE REQUEST-"), None),
        None,
        "a request, no certificate",
    ),
    "java": (lambda: (b"\xfe\xed\xfe\xed\0\0\0\2", None), None, "a Java key store"),
    "ber": (lambda: (b"\x30\x80\x02\x01\x03\x30\x80", None), None, "not in DER"),
    "long": (lambda: (alice().pem * 400, alice().secret()), None, "larger than 100 kB"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_taken_is_said(tmp_path: Path, kind: str) -> None:
    make, password, words = REFUSED[kind]
    identity, [flaw] = read(tmp_path, *make(), password=password)
    assert identity is None
    assert words in flaw.message
    assert flaw.remedy
    assert PASSWORD not in flaw.message + flaw.remedy


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    _, flaws = read(tmp_path, b"hello", b"hello")
    assert [flaw.part for flaw in flaws] == ["certificate", "key"]


def test_a_name_in_a_message_stays_on_its_line(tmp_path: Path) -> None:
    stray = made("x\n\x1b[31m")
    _, [flaw] = read(tmp_path, alice().pem + stray.pem, alice().secret())
    assert flaw.message.isprintable()
