"""Real certificates with small keys for the gateway's unit tests."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@dataclass
class Pki:
    """Makes certificates around NOW; each is kept by its name."""

    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    now: datetime = NOW

    def issue(
        self,
        name: str,
        issuer: str | None = None,
        *,
        authority: bool = False,
        usages: tuple[x509.ObjectIdentifier, ...] | None = (Usage.CLIENT_AUTH,),
        days: tuple[int, int] = (-1, 30),
        serial: int | None = None,
        common_name: str = "",
    ) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(own)
            .issuer_name(self.certificates[issuer].subject if issuer else own)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(self.now + timedelta(days=days[0]))
            .not_valid_after(self.now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if usages and not authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate = builder.sign(self.keys[issuer] if issuer else key, hashes.SHA256())
        self.certificates[name], self.keys[name] = certificate, key
        return certificate

    def __getitem__(self, name: str) -> x509.Certificate:
        return self.certificates[name]

    def data(self, name: str) -> str:
        return base64.b64encode(self[name].public_bytes(Encoding.DER)).decode()


def _standard(now: datetime) -> Pki:
    pki = Pki(now=now)
    pki.issue("root", authority=True)
    pki.issue("other-root", authority=True)
    pki.issue("intermediate", "root", authority=True)
    pki.issue("second-intermediate", "intermediate", authority=True)
    pki.issue("alice", "root")
    pki.issue("bob", "intermediate")
    pki.issue("carol", "second-intermediate")
    pki.issue("mallory", "other-root")
    pki.issue("expired", "root", days=(-10, -1))
    pki.issue("future", "root", days=(5, 30))
    pki.issue("server-only", "root", usages=(Usage.SERVER_AUTH,))
    pki.issue("any-usage", "root", usages=(Usage.ANY_EXTENDED_KEY_USAGE,))
    pki.issue("no-usages", "root", usages=None)
    return pki


@pytest.fixture(scope="session")
def pki() -> Pki:
    """Certificates as seen at NOW."""
    return _standard(NOW)


@pytest.fixture(scope="session")
def pki_today() -> Pki:
    """The same as seen today, for code that uses the real clock."""
    return _standard(datetime.now(UTC))


Document = Callable[..., dict[str, Any]]


@pytest.fixture
def document(pki: Pki) -> Document:
    """Makes a document that Azure takes; keywords replace parts of the client configuration, and
    `properties` those of the gateway."""

    def make(properties: dict[str, Any] | None = None, **client: Any) -> dict[str, Any]:
        configuration = {
            "vpnClientAddressPool": {"addressPrefixes": ["172.16.201.0/24"]},
            "vpnClientProtocols": ["IkeV2", "OpenVPN"],
            "vpnAuthenticationTypes": ["Certificate"],
            "vpnClientRootCertificates": [
                {"name": "root", "properties": {"publicCertData": pki.data("root")}}
            ],
        } | client
        return {
            "name": "gw",
            "properties": {"sku": {"name": "VpnGw1"}, "vpnClientConfiguration": configuration}
            | (properties or {}),
        }

    return make
