"""OpenSSL contexts for EAP-TLS: TLS 1.2 only.

Windows 10 and the seed use it, too; RFC 9190's key derivation for TLS 1.3 is not implemented.
"""

from __future__ import annotations

import inspect

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto

from gateway.common import cipher_suites

MOST_NAMES = 8192
"""Bytes of all names in a CertificateRequest. TLS has room for 65,535, which would take clients
dozens of EAP packets."""

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


def server_context(
    certificate: x509.Certificate,
    key: Key,
    chain: tuple[x509.Certificate, ...] = (),
) -> SSL.Context:
    """The gateway's context; made once and shared. The peer must send a certificate, but OpenSSL
    accepts any: gateway.policy.trust verifies its chain."""
    context = _context(certificate, key, chain)
    context.set_cipher_list(cipher_suites.AZURE.encode())
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _taken)
    return context


def name_client_roots(context: SSL.Context, roots: tuple[x509.Certificate, ...]) -> None:
    """Send these names to clients, as hints which certificate to use. Call it from one thread only.

    Names that are too long for a message are left out, all of them: then a client chooses itself
    (RFC 5246 7.4.4).

    A new context for each list would need a C callback, which a confined process cannot allocate
    (no executable memory). So this changes a context in use, which pyOpenSSL guards against
    because of threads.
    """
    names = [crypto.X509.from_cryptography(root).get_subject() for root in roots]
    if sum(len(name.der()) for name in names) > MOST_NAMES:
        names = []
    inspect.unwrap(SSL.Context.set_client_ca_list)(context, names)


def client_context(
    certificate: x509.Certificate,
    key: Key,
    chain: tuple[x509.Certificate, ...],
    server_roots: tuple[x509.Certificate, ...],
    *,
    security_level: int | None = None,
) -> SSL.Context:
    """The user's context: its certificate, and the roots to which the server's must chain.

    `security_level`: OpenSSL's, which says which certificates can be shown; None: its default.
    """
    context = _context(certificate, key, chain, security_level)
    context.set_verify(SSL.VERIFY_PEER)
    store = context.get_cert_store()
    if store is not None:
        for root in server_roots:
            store.add_cert(crypto.X509.from_cryptography(root))
    return context


def _context(
    certificate: x509.Certificate,
    key: Key,
    chain: tuple[x509.Certificate, ...],
    security_level: int | None = None,
) -> SSL.Context:
    """A context without resumption, which would admit a peer without verifying its certificate."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if security_level is not None:
        context.set_cipher_list(f"DEFAULT:@SECLEVEL={security_level}".encode())
    context.use_certificate(certificate)
    context.use_privatekey(key)
    for issuer in chain:
        context.add_extra_chain_cert(issuer)
    return context


def _taken(
    _connection: SSL.Connection, _peer: crypto.X509, _error: int, _depth: int, _ok: int
) -> bool:
    return True
