"""Does a client's certificate chain to an uploaded root, and is it valid for client authentication?

The answer is the same for all protocols. OpenSSL verifies the chain (RFC 5280 section 6, purpose
sslclient). This module adds a budget, because strangers choose what is verified, and the
thumbprints under which a certificate may be revoked. The clock is passed in.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from cryptography.x509.oid import SignatureAlgorithmOID as Signed
from OpenSSL import crypto
from OpenSSL._util import ffi, lib

from gateway.common.public_keys import ORDERS, RSA_BITS, key_flaw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from gateway.common.vocabulary import Reason

MOST_OTHERS = 8
"""Maximum number of certificates besides the client's own."""
LARGEST = 16384
"""Maximum size of one certificate in bytes."""

_ALGORITHMS = frozenset((
    Signed.RSA_WITH_SHA256, Signed.RSA_WITH_SHA384, Signed.RSA_WITH_SHA512, Signed.RSASSA_PSS,
    Signed.ECDSA_WITH_SHA256, Signed.ECDSA_WITH_SHA384, Signed.ECDSA_WITH_SHA512,
    Signed.ED25519, Signed.ED448,
))  # fmt: skip
"""Accepted signature algorithms: not SHA-1 and MD5, as in OpenSSL's security level 1."""

# X509_V_ERR_... of openssl/x509_vfy.h; every other error is "untrusted".
_REASONS: dict[int, Reason] = {9: "not-yet-valid", 10: "expired", 26: "no-client-auth"}
_PURPOSE = 26
_NO_ISSUER = frozenset((2, 18, 19, 20, 21))


@dataclass(frozen=True)
class Identity:
    """The owner of a certificate."""

    user: str
    thumbprints: tuple[str, ...]
    """The certificate's own, then that of its twin, which anybody can make (see `_twin`)."""


@dataclass(frozen=True)
class Finding:
    """`reason` None: the certificate is valid and `root` is the thumbprint of its root.

    `identity` is None if the certificate could not be parsed.
    """

    reason: Reason | None
    message: str
    identity: Identity | None = None
    root: str = ""


class Roots:
    """The uploaded roots, each in its own store.

    OpenSSL picks the first root with a matching name, so that in a shared store a root would hide
    another one of the same name, such as its renewal.
    """

    def __init__(self, certificates: Sequence[x509.Certificate] = ()) -> None:
        self._stores: dict[bytes, list[tuple[x509.Certificate, crypto.X509Store]]]
        self._stores = defaultdict(list)
        self._encoded = {certificate.public_bytes(Encoding.DER) for certificate in certificates}
        for certificate in certificates:
            store = crypto.X509Store()
            store.add_cert(crypto.X509.from_cryptography(certificate))
            # pyOpenSSL has no method for it
            lib.X509_STORE_set_purpose(store._store, lib.X509_PURPOSE_SSL_CLIENT)  # noqa: SLF001
            self._stores[certificate.subject.public_bytes()].append((certificate, store))

    def __contains__(self, der: bytes) -> bool:
        return der in self._encoded

    def named(self, names: Iterable[bytes]) -> Iterator[tuple[x509.Certificate, crypto.X509Store]]:
        """The roots with one of these subjects (DER), each with its store."""
        for name in dict.fromkeys(names):
            yield from self._stores.get(name, ())


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 over the DER in upper-case hexadecimal: Azure's name for a certificate."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Azure's, not ours


def load_public_cert_data(data: str) -> x509.Certificate:
    """Parse a root in Azure's format (the rulebook has validated it already)."""
    return x509.load_der_x509_certificate(base64.b64decode(data))


def user_name(certificate: x509.Certificate) -> str:
    """The common name; without one, the whole subject."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def examine(chain: Sequence[bytes], roots: Roots, now: datetime) -> Finding:
    """Verify a client's certificates (DER): the client's own first, then possible issuers.

    Raises no exception, whatever the certificates contain.
    """
    if not chain:
        return Finding("no-certificate", "no certificate was shown")
    identity = None
    try:
        leaf = _read(chain[0])
        identity = Identity(user_name(leaf.ours), (thumbprint(leaf.ours),))
        others = [_read(der) for der in _counted(chain[1:]) if der not in roots]
        for certificate in (leaf, *others):
            _check_form(certificate.ours)
    except _RefusedError as error:
        return Finding("untrusted", str(error), identity)
    return _judge(leaf, others, roots, now, identity)


class _RefusedError(Exception):
    """A certificate refused before its chain is verified."""


def _counted(others: Sequence[bytes]) -> Sequence[bytes]:
    if len(others) > MOST_OTHERS:
        raise _RefusedError(f"more than {MOST_OTHERS} certificates besides it")
    return others


@dataclass(frozen=True)
class _Read:
    """One certificate as parsed by both parsers: both must accept it."""

    ours: x509.Certificate
    openssl: crypto.X509


def _read(der: bytes) -> _Read:
    """Parse every part that is used later, so that nothing raises then."""
    if len(der) > LARGEST:
        raise _RefusedError(f"a certificate of {len(der)} bytes, not {LARGEST}")
    try:
        certificate = x509.load_der_x509_certificate(der)
        user_name(certificate)
        certificate.issuer.rfc4514_string()
        certificate.extensions  # noqa: B018 - parsed when asked for
        certificate.public_key()
        return _Read(certificate, crypto.load_certificate(crypto.FILETYPE_ASN1, der))
    except ImportError:  # our own fault, not the certificate's
        raise
    except Exception as error:  # noqa: BLE001 - the parsers' errors share no base class
        said = f"its certificate cannot be read: {type(error).__name__}: {error}"
        raise _RefusedError(said) from None


def _check_form(certificate: x509.Certificate) -> None:
    """Check the budget, and that only the issuer can have chosen every byte."""
    if certificate.signature_algorithm_oid not in _ALGORITHMS:
        name = certificate.signature_algorithm_oid._name  # noqa: SLF001 - nothing public has it
        raise _RefusedError(f"it is signed with {name}, which is not accepted")
    if flaw := key_flaw(certificate, RSA_BITS):
        raise _RefusedError(flaw)
    if not _is_canonical(certificate):
        raise _RefusedError("its encoding is not the one that its issuer made")


def _judge(
    leaf: _Read,
    others: Sequence[_Read],
    roots: Roots,
    now: datetime,
    identity: Identity,
) -> Finding:
    issuer = leaf.ours.issuer.rfc4514_string()
    best = Finding("untrusted", f"issued by {issuer}, which leads to no uploaded root", identity)
    names = [certificate.ours.issuer.public_bytes() for certificate in (leaf, *others)]
    for root, store in roots.named(names):
        store.set_time(now)
        code, depth, verified = _verify(store, leaf, others)
        if code == 0:
            twin = _twin(leaf.ours, verified[min(1, len(verified) - 1)])
            whose = Identity(identity.user, (*identity.thumbprints, *twin))
            return Finding(None, "", whose, thumbprint(root))
        if best.reason == "untrusted":
            best = _refusal(code, depth, leaf.ours, identity) or best
    return best


def _verify(
    store: crypto.X509Store, leaf: _Read, others: Sequence[_Read]
) -> tuple[int, int, list[x509.Certificate]]:
    """OpenSSL's X509_verify_cert: code of the error (0: none), depth of its certificate, chain."""
    context = crypto.X509StoreContext(store, leaf.openssl, [other.openssl for other in others])
    try:
        verified = context.get_verified_chain()
    except crypto.X509StoreContextError as error:
        return error.errors[0], error.errors[1], []
    finally:
        lib.ERR_clear_error()  # otherwise the next OpenSSL call would seem to have failed
    return 0, 0, [certificate.to_cryptography() for certificate in verified]


def _refusal(
    code: int,
    depth: int,
    leaf: x509.Certificate,
    identity: Identity,
) -> Finding | None:
    """The refusal; None if OpenSSL's error only means that this is not the chain's root."""
    if code in _NO_ISSUER:
        return None
    reason = _REASONS.get(code, "untrusted")
    if code == _PURPOSE and depth > 0:  # the wrong purpose is an issuer's, not the client's
        reason = "untrusted"
    said = ffi.string(lib.X509_verify_cert_error_string(code)).decode()
    which = leaf.subject.rfc4514_string() if depth == 0 else f"an issuer at depth {depth}"
    return Finding(reason, f"{which}: {said}", identity)


# ---------------------------------------------------------------------- the names of a certificate


def _is_canonical(certificate: x509.Certificate) -> bool:
    """Whether it is the only DER of what the issuer signed, apart from the signature's value.

    The thumbprint covers bytes that the signature does not: outer lengths, the outer algorithm,
    the number of unused bits. Anybody able to change those could make a new thumbprint.
    """
    tbs = certificate.tbs_certificate_bytes
    return certificate.public_bytes(Encoding.DER) == _certificate(tbs, certificate.signature)


def _twin(certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[str, ...]:
    """The thumbprint of the same certificate with the other ECDSA signature, (r, n - s).

    It is as valid as the first, and anybody who has the certificate can make it.
    """
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return ()
    r, s = decode_dss_signature(certificate.signature)
    signature = encode_dss_signature(r, ORDERS[key.curve.name] - s)
    der = _certificate(certificate.tbs_certificate_bytes, signature)
    return (hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),)


def _certificate(tbs: bytes, signature: bytes) -> bytes:
    """RFC 5280 4.1 in DER; the algorithm is the one named in the signed part."""
    inside = _content(tbs, 0)[0]
    if tbs[inside] == 0xA0:  # the version
        inside = _content(tbs, inside)[1]
    algorithm = _content(tbs, inside)[1]  # behind the serial number
    signed_with = tbs[algorithm : _content(tbs, algorithm)[1]]
    return _tlv(0x30, tbs + signed_with + _tlv(0x03, b"\0" + signature))


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the value at `at` begins and ends; `der` has been parsed before."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    start = at + 2 + (first & 0x7F)
    return start, start + int.from_bytes(der[at + 2 : start])


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size) + content
