"""The local OCSP responder through which charon asks the gate about a certificate (RFC 6960).

charon, told to check revocation, asks about each certificate of a client's chain before it lets
the client in. The responder signs with a key of its own, which charon is told to trust; no CA key
is needed. The question carries a serial number and hashes of the issuer, nothing else.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Status = Literal["good", "revoked", "unknown", "later"]
"""`later` asks to be asked again, at the responder's second address."""

LIFE = dt.timedelta(minutes=1)
"""For how long an answer holds, before and after now: machines' clocks step. That charon asks
anew is the engine's doing, which flushes charon's cache after every attempt."""

_DAY = dt.timedelta(days=1)
_STATUS = {
    "good": ocsp.OCSPCertStatus.GOOD,
    "revoked": ocsp.OCSPCertStatus.REVOKED,
    "unknown": ocsp.OCSPCertStatus.UNKNOWN,
}


@dataclass(frozen=True)
class Question:
    """Which certificate charon asks about."""

    serial_number: int
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    algorithm: hashes.HashAlgorithm
    again: bool = False
    """Asked a second time, at the second address, after `later` was the first answer."""

    def matches(self, certificate: x509.Certificate) -> bool:
        """Serial number and issuer's name; the key's hash would need the issuer."""
        digest = hashes.Hash(self.algorithm)
        digest.update(certificate.issuer.public_bytes())
        return (
            certificate.serial_number == self.serial_number
            and digest.finalize() == self.issuer_name_hash
        )


class Responder:
    """Answers questions with what `decide` says."""

    def __init__(self, decide: Callable[[Question], Awaitable[Status]]) -> None:
        self._decide = decide
        self._key = ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def certificate(self) -> x509.Certificate:
        """Self-signed, for OCSP signing only."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "p2slab gateway OCSP")])
        now = _now()
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 3650 * _DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    async def answer(self, body: bytes, *, again: bool = False) -> bytes:
        """DER in, DER out; what is no request is answered `malformedRequest`."""
        try:
            request = ocsp.load_der_ocsp_request(body)
            question = Question(
                request.serial_number,
                request.issuer_name_hash,
                request.issuer_key_hash,
                request.hash_algorithm,
                again,
            )
        except (ValueError, TypeError):
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        status = await self._decide(question)
        if status == "later":
            return _unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        return self._sign(request, question, status)

    def _sign(self, request: ocsp.OCSPRequest, question: Question, status: Status) -> bytes:
        now = _now()
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                issuer_name_hash=question.issuer_name_hash,
                issuer_key_hash=question.issuer_key_hash,
                serial_number=question.serial_number,
                algorithm=question.algorithm,
                cert_status=_STATUS[status],
                this_update=now - LIFE,
                next_update=now + LIFE,
                revocation_time=now if status == "revoked" else None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.NAME, self.certificate)
            .certificates([self.certificate])
        )
        for extension in request.extensions:
            if isinstance(extension.value, x509.OCSPNonce):
                builder = builder.add_extension(extension.value, critical=False)
        response = builder.sign(self._key, hashes.SHA256())
        return response.public_bytes(serialization.Encoding.DER)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return response.public_bytes(serialization.Encoding.DER)
