"""Judges a document by all rules, and makes parts of documents."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.arm.resource import VirtualNetworkGateway
from gateway.arm.rules.rulebook import Network, Violation, violations
from tests.unit.gateway.conftest import NOW

NETWORK = Network(("10.1.0.0/16",), sitePrefixes=("192.168.50.0/24",))


def judge(document: dict[str, Any], **options: Any) -> list[Violation]:
    return violations(VirtualNetworkGateway.model_validate(document), NETWORK, **options)


def roots(*entries: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"name": n, "properties": {"publicCertData": d}} for n, d in entries]


def revoked(*entries: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"name": n, "properties": {"thumbprint": t}} for n, t in entries]


def servers(*entries: tuple[str, int]) -> list[dict[str, Any]]:
    return [
        {"radiusServerAddress": a, "radiusServerScore": score, "radiusServerSecret": "x"}
        for a, score in entries
    ]


def pool(*prefixes: str) -> dict[str, Any]:
    return {"addressPrefixes": list(prefixes)}


def nameless() -> str:
    """A self-signed certificate without a subject."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW)
    made = builder.sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def dotted(violation: Violation) -> str:
    return ".".join(map(str, violation.path)).removeprefix("vpnClientConfiguration.")


RADIUS = {"vpnAuthenticationTypes": ["Radius"], "vpnClientProtocols": ["IkeV2"]}
