"""The worker's program: prepares, drops its rights, and works."""

from __future__ import annotations

import argparse
import signal
import socket
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.common.quick_start import settle
from gateway.eap_tls.worker.messages import FROM_WORKER, TO_WORKER
from gateway.eap_tls.worker.rehearsal import rehearse
from gateway.eap_tls.worker.worker import Worker
from gateway.ppp import tls_contexts
from gateway.unprivileged import privileges
from gateway.unprivileged.channel import Channel


def main() -> int:
    """Run until the gateway exits or sends SIGTERM."""
    parser = argparse.ArgumentParser(prog="gateway.eap_tls.worker", description=__doc__)
    parser.add_argument("--control", type=int, required=True, help="an open descriptor")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM, with its issuers")
    parser.add_argument("--key", type=Path, required=True, help="PEM")
    arguments = parser.parse_args()

    leaf, *issuers = x509.load_pem_x509_certificates(arguments.certificate.read_bytes())
    # Validating a 4096-bit key's primes would take 0.2 s; the key is the operator's, and OpenSSL
    # checks each signature.
    key = load_pem_private_key(
        arguments.key.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        parser.error("TLS 1.2 needs a key of RSA or of an elliptic curve")
    context = tls_contexts.server_context(leaf, key, tuple(issuers))
    channel = Channel(socket.socket(fileno=arguments.control), TO_WORKER, FROM_WORKER)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the gateway handles the terminal's Ctrl-C
    warnings.simplefilter("ignore")  # else untrusted bytes could flood the log with warnings
    rehearse(context)
    settle()
    Worker(channel, context, privileges.confine()).run()
    return 0
