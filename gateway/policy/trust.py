"""Does a client's certificate chain to an uploaded root, and is it valid for client authentication?

The answer is the same for all protocols. OpenSSL verifies the chain (RFC 5280 section 6, purpose
sslclient). This module adds a budget, because strangers choose what is verified, and the
thumbprints under which a certificate may be revoked. The clock is passed in.
"""

from __future__ import annotations

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

from gateway.common.anchors import Verdict, anchor, store_of, verify, words
from gateway.common.certificate_forms import der_of
from gateway.common.der import BITS, SEQUENCE, span, tlv
from gateway.common.public_keys import LARGEST, ORDERS, RSA_BITS, key_flaw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from gateway.common.vocabulary import Reason

MOST_OTHERS = 8
"""Maximum number of certificates besides the client's own."""

_ALGORITHMS = frozenset((
    Signed.RSA_WITH_SHA256, Signed.RSA_WITH_SHA384, Signed.RSA_WITH_SHA512, Signed.RSASSA_PSS,
    Signed.ECDSA_WITH_SHA256, Signed.ECDSA_WITH_SHA384, Signed.ECDSA_WITH_SHA512,
    Signed.ED25519, Signed.ED448,
))  # fmt: skip
"""Accepted signature algorithms: not SHA-1 and MD5, as in OpenSSL's security level 1."""

# X509_V_ERR_... of openssl/x509_vfy.h; every other error is "untrusted".
_REASONS: dict[int, Reason] = {9: "not-yet-valid", 10: "expired", 26: "no-client-auth"}
_PURPOSE = 26
_SIGNATURE = 7
_SELF_SIGNED = frozenset((18, 19))
_NO_ISSUER = frozenset((2, 20, 21))


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


_Store = tuple[crypto.X509Name, x509.Certificate, crypto.X509Store]


class Roots:
    """The uploaded roots, each in its own store.

    OpenSSL picks the first root with a matching name, so that in a shared store a root would hide
    another one of the same name, such as its renewal.
    """

    def __init__(self, certificates: Sequence[x509.Certificate] = ()) -> None:
        self._stores: dict[int, list[_Store]] = defaultdict(list)
        self._encoded = {certificate.public_bytes(Encoding.DER) for certificate in certificates}
        for certificate in certificates:
            der = anchor(certificate)
            self._encoded.add(der)  # what openvpn has, and exports
            name = crypto.load_certificate(crypto.FILETYPE_ASN1, der).get_subject()
            self._stores[name.hash()].append((name, certificate, store_of(der)))

    def __contains__(self, der: bytes) -> bool:
        return der in self._encoded

    def named(
        self, names: Iterable[crypto.X509Name]
    ) -> Iterator[tuple[x509.Certificate, crypto.X509Store]]:
        """The roots with one of these subjects, each with its store.

        OpenSSL compares names as RFC 5280 7.1 says, whatever their encoding.
        """
        for number, name in {name.hash(): name for name in names}.items():
            for own, certificate, store in self._stores.get(number, ()):
                if own == name:
                    yield certificate, store


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 over the DER in upper-case hexadecimal: Azure's name for a certificate."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Azure's, not ours


def load_public_cert_data(data: str) -> x509.Certificate:
    """Parse a root in Azure's format (the rulebook has validated it already)."""
    return x509.load_der_x509_certificate(der_of(data) or b"")


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
    whose = _name(certificate.subject)
    if certificate.signature_algorithm_oid not in _ALGORITHMS:
        name = certificate.signature_algorithm_oid._name  # noqa: SLF001 - nothing public has it
        raise _RefusedError(f"{whose}: signed with {name}, which is not accepted")
    if flaw := key_flaw(certificate, RSA_BITS):
        raise _RefusedError(f"{whose}: {flaw}")
    if not _is_canonical(certificate):
        raise _RefusedError(f"{whose}: its encoding is not the one that its issuer made")


def _judge(
    leaf: _Read,
    others: Sequence[_Read],
    roots: Roots,
    now: datetime,
    identity: Identity,
) -> Finding:
    found = [(0, Finding("untrusted", _leads_nowhere(leaf, others), identity))]
    names = [certificate.openssl.get_issuer() for certificate in (leaf, *others)]
    sent = [other.openssl for other in others]
    for root, store in roots.named(names):
        verdict = verify(store, leaf.openssl, sent, now)
        if verdict.code == 0:
            twin = _twin(leaf.ours, verdict.chain[min(1, len(verdict.chain) - 1)])
            whose = Identity(identity.user, (*identity.thumbprints, *twin))
            return Finding(None, "", whose, thumbprint(root))
        found.append(_refusal(verdict, root, identity))
    return max(found, key=lambda entry: entry[0])[1]


def _leads_nowhere(leaf: _Read, others: Sequence[_Read]) -> str:
    """Where the chain ends, of which no name is that of an uploaded root."""
    last, left = leaf.ours, [other.ours for other in others]
    while above := next((one for one in left if one.subject == last.issuer), None):
        left.remove(above)
        last = above
    subject, issuer = _name(last.subject), _name(last.issuer)
    if last.subject == last.issuer:
        return f"{subject}: self-signed, and not an uploaded root"
    return f"{subject}: issued by {issuer}, which is no uploaded root and was not sent"


def _refusal(verdict: Verdict, root: x509.Certificate, identity: Identity) -> tuple[int, Finding]:
    """The refusal by one root, and how much it tells: of several roots, the one that knows most."""
    assert verdict.at is not None
    code, depth, which = verdict.code, verdict.depth, _name(verdict.at.subject)
    if depth:
        which += f", an issuer at depth {depth}"
    if code in _SELF_SIGNED:
        return 1, Finding("untrusted", f"{which}: self-signed, and not an uploaded root", identity)
    if code in _NO_ISSUER:
        issuer = _name(verdict.at.issuer)
        said = f"{which}: issued by {issuer}, which is no uploaded root and was not sent"
        if verdict.at.issuer == root.subject:
            said = f"{which}: not issued by the key of the uploaded root {issuer}"
        return 1, Finding("untrusted", said, identity)
    reason = _REASONS.get(code, "untrusted")
    if code == _PURPOSE and depth > 0:  # the wrong purpose is an issuer's, not the client's
        reason = "untrusted"
    rank = 2 if code == _SIGNATURE else 3 if reason == "untrusted" else 4
    return rank, Finding(reason, f"{which}: {words(code)}", identity)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string() or "a certificate without a name"


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
    inside = span(tbs, 0)[0]
    if tbs[inside] == 0xA0:  # the version
        inside = span(tbs, inside)[1]
    algorithm = span(tbs, inside)[1]  # behind the serial number
    signed_with = tbs[algorithm : span(tbs, algorithm)[1]]
    return tlv(SEQUENCE, tbs, signed_with, tlv(BITS, b"\0", signature))
