"""The user's own certificates: problems are reported with the file's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from lab.topology.planning.planner import make_plan
from tests.unit.lab.topology.spoiling import check, problems, spoil

OWN = "{certificate: «a.pem, key: «a.key}"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A directory with a certificate `a.pem` and its key `a.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "alice")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    certificate = builder.sign(key, hashes.SHA256())
    (tmp_path / "a.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "a.key").write_bytes(pem(key))
    return tmp_path


def pem(key: ec.EllipticCurvePrivateKey, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


def told(base: Path) -> tuple[list[tuple[int, int, str]], list[tuple[int, int]]]:
    """What is said, and the places of the certificate's and of the key's file name."""
    text, places = spoil(("{issuer: contoso-root}", OWN))
    return problems(text, base), places


def test_files_of_the_users_own_are_found_beside_the_topology(base: Path) -> None:
    text, _ = spoil(("{issuer: contoso-root}", OWN))
    plan = make_plan(check(text, base), base)
    [alice] = [certificate for certificate in plan.certificates if certificate.name == "alice"]
    assert alice.certificate_file == str(base / "a.pem")
    assert alice.key_file == str(base / "a.key")


def test_a_missing_file_is_named(base: Path) -> None:
    (base / "a.pem").unlink()
    found, places = told(base)
    words = "a.pem: no such file or directory; file names are relative to the topology file"
    assert found == [(*places[0], words)]


def test_what_is_no_certificate_and_no_key_is_refused(base: Path) -> None:
    (base / "a.pem").write_text("hello")
    (base / "a.key").write_text("hello")
    found, places = told(base)
    assert [entry[:2] for entry in found] == places
    assert [entry[2].split(";")[0] for entry in found] == [
        "a.pem: neither a certificate nor a private key, but Base64 that is cut off: 5 characters",
        "a.key: neither a certificate nor a private key, but Base64 that is cut off: 5 characters",
    ]


def test_a_key_with_a_password_is_refused(base: Path) -> None:
    lock = BestAvailableEncryption(b"x")
    (base / "a.key").write_bytes(pem(ec.generate_private_key(ec.SECP256R1()), lock))
    [(_, _, words)], _ = told(base)
    assert words == (
        "a.key: it has a password; "
        "add `password:`, or `passwordFile:` with the password in its first line"
    )


def test_a_key_of_another_certificate_is_refused(base: Path) -> None:
    (base / "a.key").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    found, places = told(base)
    assert found == [
        (*places[1], "a.key: not the key of a.pem; the two files must belong together")
    ]


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("{certificate: a.pem}", "a.pem: a certificate without its key"),
        ("{key: a.key, issuer: contoso-root}", "a key without its certificate"),
        ("{certificate: a.pem, key: a.key, validTo: +9d}", "validTo cannot be set"),
    ],
)
def test_files_that_do_not_go_together_are_refused(base: Path, own: str, words: str) -> None:
    text, _ = spoil(("{issuer: contoso-root}", own))
    [(_, _, said)] = problems(text, base)
    assert said.startswith(words)


def test_an_authority_without_its_key_cannot_issue(base: Path) -> None:
    text, _ = spoil(("contoso-root: {}", "contoso-root: {certificate: a.pem}"))
    [(_, _, said)] = problems(text, base)
    assert said.startswith("'contoso-root' cannot issue: its private key is missing")


@pytest.mark.parametrize("issuer", ["{}", "{certificate: a.pem, key: a.key}"])
def test_an_issuer_that_has_not_issued_a_file_is_refused(base: Path, issuer: str) -> None:
    """Be it made by the lab, or from a file: `a.pem` has issued itself, and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    bob, root = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("bob", "alice")
    )
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(root, bob, key.public_key(), 1, now, now + timedelta(1))
    certificate = builder.sign(key, hashes.SHA256())
    (base / "b.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (base / "b.key").write_bytes(pem(key))
    own = "{certificate: b.pem, key: b.key, issuer: «contoso-root}"
    text, [place] = spoil(
        ("contoso-root: {}", f"contoso-root: {issuer}"), ("{issuer: contoso-root}", own)
    )
    found = [one for one in problems(text, base) if "has not issued" in one[2]]
    assert [one[:2] for one in found] == [place]
    assert found[0][2].startswith("'contoso-root' has not issued b.pem; leave the issuer out")
