"""Does everything once before privileges are dropped: libraries import some of their modules on
first use (cryptography does at the first elliptic-curve signature)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from gateway.eap_tls.worker.server import Conversation, Reply
from gateway.policy.trust import Roots, examine
from gateway.ppp import tls_contexts
from gateway.ppp.eap import Code, Type, encode
from gateway.ppp.frames import parse_packet
from gateway.ppp.tls_messages import Fragments, Handshake

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_KEYS: tuple[Callable[[], Key], ...] = (
    lambda: ec.generate_private_key(ec.SECP256R1()),
    lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 - quick
    ed25519.Ed25519PrivateKey.generate,
)
_TEXTS = (None, _ASN1Type.BMPString, _ASN1Type.UniversalString)
"""Python imports a codec on first use; Windows CAs write BMPStrings."""


def rehearse(context: SSL.Context) -> None:
    """Verify valid and malformed chains with each kind of key, and run a handshake."""
    now = datetime.now(UTC)
    for make in _KEYS:
        root_key, key = make(), make()
        root = _issue("root", root_key, root_key, authority=True, now=now)
        leaf = _issue("leaf", key, root_key, authority=False, now=now)
        der = leaf.public_bytes(Encoding.DER)
        roots = Roots((root,))
        for chain in ((der[:-1],), (der, b"\x30\0"), (der, root.public_bytes(Encoding.DER))):
            finding = examine(chain, roots, now)
        if finding.reason:
            raise RuntimeError(f"the rehearsal failed: {finding.message}")
        if isinstance(key, ec.EllipticCurvePrivateKey):
            user = tls_contexts.client_context(leaf, key, (), ())
            user.set_verify(SSL.VERIFY_NONE)
            _shake(Conversation(context, roots, lambda: now), user)


def _issue(name: str, key: Key, signer: Key, *, authority: bool, now: datetime) -> x509.Certificate:
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, algorithm)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind) for kind in _TEXTS])


def _shake(server: Conversation, user: SSL.Context) -> None:
    """Run a complete EAP-TLS exchange."""
    client, incoming, outgoing = Handshake(user, server=False), Fragments(1000), Fragments(1000)
    step = server.receive(encode(Code.RESPONSE, 0, Type.IDENTITY, b"rehearsal"))
    while isinstance(step, Reply):
        request = parse_packet(step.packet)
        assert request
        data = request.data[1:]
        flight = b"" if data == b"\x20" else incoming.receive(data)
        if outgoing.pending or flight is None:
            answer = outgoing.next()
        else:
            outgoing.load(client.step(flight))
            answer = outgoing.next()
        step = server.receive(encode(Code.RESPONSE, request.identifier, Type.TLS, answer))
    if not client.done:
        raise RuntimeError(f"the rehearsal failed: {step}")
