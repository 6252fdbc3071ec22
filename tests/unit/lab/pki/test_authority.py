"""Certificates made as the seed describes, from keys of the stock."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from lab.errors import MachineError, UsageError
from lab.pki import stock
from lab.pki.authority import Credential, issue, load_certificate, load_key, sign
from lab.topology.planning.plan import CertificatePlan

ROOT = CertificatePlan("root", "Root", None, "root")
CHAIN = (
    ROOT,
    CertificatePlan("middle", "Middle", "root", "intermediate"),
    CertificatePlan("alice", "alice", "middle", "client"),
    CertificatePlan("gw", "gw.test", "root", "server", dns_names=("gw.test", "other.test")),
)


@pytest.fixture(autouse=True)
def small_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of 1024 bits: what is tested here does not depend on the length."""
    monkeypatch.setattr(stock, "BITS", 1024)
    monkeypatch.setenv("P2SLAB_CACHE", str(tmp_path))


def extension(credential: Credential, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    return credential.certificate.extensions.get_extension_for_class(kind).value


def test_each_certificate_is_signed_by_its_issuer_and_has_a_key_of_its_own() -> None:
    made = issue(CHAIN)
    for plan in CHAIN:
        issuer = made[plan.issuer or plan.name]
        made[plan.name].certificate.verify_directly_issued_by(issuer.certificate)
    numbers = {credential.key.private_numbers().p for credential in made.values()}
    assert len(numbers) == len(CHAIN)


def test_a_client_certificate_has_the_usages_of_usr_cert() -> None:
    alice = issue(CHAIN)["alice"]
    usage = extension(alice, x509.ExtendedKeyUsage)
    assert ExtendedKeyUsageOID.CLIENT_AUTH in usage
    assert not extension(alice, x509.BasicConstraints).ca
    assert extension(alice, x509.KeyUsage).digital_signature


def test_client_auth_can_be_left_out() -> None:
    plan = CertificatePlan("grace", "grace", "root", "client", client_auth=False)
    grace = issue((ROOT, plan))["grace"]
    assert ExtendedKeyUsageOID.CLIENT_AUTH not in extension(grace, x509.ExtendedKeyUsage)


def test_a_server_certificate_names_its_hosts_and_serves() -> None:
    gateway = issue(CHAIN)["gw"]
    names = extension(gateway, x509.SubjectAlternativeName).get_values_for_type(x509.DNSName)
    assert names == ["gw.test", "other.test"]
    assert list(extension(gateway, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_validity_is_counted_in_days_from_now() -> None:
    plan = CertificatePlan("eve", "eve", "root", "client", days_before=30, days_after=-1)
    eve = issue((ROOT, plan))["eve"].certificate
    now = datetime.now(UTC)
    assert now - timedelta(days=1, minutes=1) < eve.not_valid_after_utc < now - timedelta(hours=23)
    assert eve.not_valid_before_utc < now - timedelta(days=29)


def test_public_cert_data_is_the_der_on_one_line() -> None:
    root = issue((ROOT,))["root"]
    data = root.public_cert_data
    assert "\n" not in data
    assert x509.load_der_x509_certificate(base64.b64decode(data)) == root.certificate


def test_the_chain_leaves_the_root_out_and_the_root_is_at_hand() -> None:
    made = issue(CHAIN)
    chain = x509.load_pem_x509_certificates(made["alice"].chain_pem)
    assert [link.subject.rfc4514_string() for link in chain] == ["CN=alice", "CN=Middle"]
    assert made["alice"].root_pem == made["root"].certificate_pem


def test_a_p12_opens_with_its_password_only() -> None:
    alice = issue(CHAIN)["alice"]
    data = alice.p12("secret")
    key, certificate, others = pkcs12.load_key_and_certificates(data, b"secret")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert certificate == alice.certificate
    assert [other.subject.rfc4514_string() for other in others] == ["CN=Middle"]
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(data, b"wrong")


def test_keys_are_made_once_and_kept_for_their_owner_only(tmp_path: Path) -> None:
    said: list[str] = []
    first = stock.take(2, said.append)
    assert len(said) == 3
    said.clear()
    again = stock.take(2, said.append)
    assert not said
    assert [k.private_numbers() for k in first] == [k.private_numbers() for k in again]
    for path in (tmp_path / "keys").glob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    stock.take(1)
    (file,) = (tmp_path / "keys").glob("*.pem")
    file.write_text("not a key")
    with pytest.raises(MachineError, match=f"rm {file}"):
        stock.take(1)


def test_a_users_own_certificate_is_used_unchanged(tmp_path: Path) -> None:
    own = sign(CertificatePlan("corp", "Corp", None, "root"), stock.fresh_key(), None)
    (tmp_path / "corp.pem").write_bytes(own.certificate_pem)
    (tmp_path / "corp.key").write_bytes(own.key_pem)
    plan = CertificatePlan("corp", "ignored", None, "root",
                           certificate_file=str(tmp_path / "corp.pem"),
                           key_file=str(tmp_path / "corp.key"))  # fmt: skip
    made = issue((plan, CertificatePlan("alice", "alice", "corp", "client")))
    assert made["corp"].thumbprint == own.thumbprint
    made["alice"].certificate.verify_directly_issued_by(own.certificate)


def test_an_authority_without_its_key_stands_there_and_issues_nothing(tmp_path: Path) -> None:
    own = sign(ROOT, stock.fresh_key(), None)
    (tmp_path / "root.pem").write_bytes(own.certificate_pem)
    plan = CertificatePlan("root", "Root", None, "root",
                           certificate_file=str(tmp_path / "root.pem"))  # fmt: skip
    assert issue((plan,))["root"].public_cert_data == own.public_cert_data
    with pytest.raises(UsageError, match="certificate root has no key"):
        issue((plan, CertificatePlan("alice", "alice", "root", "client")))


def test_an_invalid_certificate_is_refused_with_azures_message(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    with pytest.raises(UsageError, match="Data for certificate corp is invalid"):
        load_certificate("corp", tmp_path / "x")
    with pytest.raises(UsageError, match="No such file"):
        load_certificate("corp", tmp_path / "y")


def test_an_encrypted_key_is_refused_with_the_command_that_opens_it(tmp_path: Path) -> None:
    encryption = serialization.BestAvailableEncryption(b"x")
    (tmp_path / "k").write_bytes(
        stock.fresh_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
    )
    with pytest.raises(UsageError, match=r"encrypted.*\n.*openssl pkey"):
        load_key("corp", tmp_path / "k")


def test_a_certificate_with_a_foreign_key_is_refused(tmp_path: Path) -> None:
    own = sign(ROOT, stock.fresh_key(), None)
    (tmp_path / "c.pem").write_bytes(own.certificate_pem)
    (tmp_path / "c.key").write_bytes(sign(ROOT, stock.fresh_key(), None).key_pem)
    plan = CertificatePlan("root", "Root", None, "root", certificate_file=str(tmp_path / "c.pem"),
                           key_file=str(tmp_path / "c.key"))  # fmt: skip
    with pytest.raises(UsageError, match="not the key of"):
        issue((plan,))
