"""The certificate that the worker shows."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.dataplane.tls import server_context
from gateway.sstp.protocol.binding import certificate_hashes
from gateway.sstp.protocol.packets import HashProtocol


@pytest.fixture
def shown(pki: Any, tmp_path: Path) -> tuple[ssl.SSLContext, Mapping[HashProtocol, bytes]]:
    """The server's context, and the hashes of its certificate."""
    certificate, key = tmp_path / "server.pem", tmp_path / "server.key"
    certificate.write_bytes(pki["server-only"].public_bytes(Encoding.PEM))
    key.write_bytes(
        pki.keys["server-only"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    hashes = certificate_hashes(pki["server-only"].public_bytes(Encoding.DER))
    return server_context(certificate, key), hashes
