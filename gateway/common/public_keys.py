"""Which public keys are accepted in certificates: an attacker chooses what a check costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

if TYPE_CHECKING:
    from cryptography import x509

RSA_BITS = range(1024, 4096 + 1)
ROOTS_RSA_BITS = range(1024, 8192 + 1)
"""For uploaded roots, which no stranger chooses."""
LARGEST = 16384
"""Maximum size of one certificate in bytes."""
EXPONENTS = frozenset((3, 17, 65537))

ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,  # noqa: E501
    "secp521r1": 0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,  # noqa: E501
}
"""Accepted curves, with the order of each (SEC 2)."""


def key_flaw(certificate: x509.Certificate, bits: range) -> str:
    """Why a key is not accepted; empty if it is. `bits`: accepted sizes of RSA keys."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"its key cannot be read: {error}"
    match key:
        case rsa.RSAPublicKey():
            if key.key_size not in bits:
                return f"an RSA key of {key.key_size} bits, not {bits[0]} to {bits[-1]}"
            return (
                "" if key.public_numbers().e in EXPONENTS else "an RSA key with an unusual exponent"
            )
        case ec.EllipticCurvePublicKey():
            known = key.curve.name in ORDERS
            return "" if known else f"a key on the curve {key.curve.name}, which is not taken"
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return ""
    return f"a key of a kind that is not taken: {type(key).__name__}"
