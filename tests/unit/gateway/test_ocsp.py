"""The responder's answers, read by another implementation's eyes: cryptography's own parser."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from gateway.ocsp import Question, Responder, Status


def request(pki: Any, leaf: str = "alice", nonce: bytes | None = None) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(pki[leaf], pki["root"], hashes.SHA1())
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def responder(status: Status, asked: list[Question] | None = None) -> Responder:
    async def decide(question: Question) -> Status:
        if asked is not None:
            asked.append(question)
        return status

    return Responder(decide)


@pytest.mark.parametrize("status", ["good", "revoked", "unknown"])
async def test_the_answer_is_what_was_decided(status: Status, pki: Any) -> None:
    answer = ocsp.load_der_ocsp_response(await responder(status).answer(request(pki)))
    assert answer.certificate_status.name == status.upper()
    assert answer.serial_number == pki["alice"].serial_number


async def test_the_answer_is_signed_by_the_certificate_that_charon_trusts(pki: Any) -> None:
    who = responder("good")
    answer = ocsp.load_der_ocsp_response(await who.answer(request(pki)))
    public = who.certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    usages = who.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING in usages.value


async def test_the_answer_ends_after_it_begins(pki: Any) -> None:
    answer = ocsp.load_der_ocsp_response(await responder("good").answer(request(pki)))
    assert answer.next_update_utc
    assert (answer.next_update_utc - answer.this_update_utc).total_seconds() >= 2


async def test_a_nonce_comes_back(pki: Any) -> None:
    answer = ocsp.load_der_ocsp_response(
        await responder("good").answer(request(pki, nonce=b"x" * 16))
    )
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"x" * 16


async def test_the_question_finds_its_certificate_and_no_other(pki: Any) -> None:
    asked: list[Question] = []
    await responder("good", asked).answer(request(pki))
    assert [name for name, c in pki.certificates.items() if asked[0].matches(c)] == ["alice"]


async def test_the_same_serial_of_another_issuer_is_another_certificate(pki: Any) -> None:
    asked: list[Question] = []
    twin = pki.issue("twin", "other-root", serial=pki["alice"].serial_number)
    body = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(twin, pki["other-root"], hashes.SHA256())
        .build()
        .public_bytes(Encoding.DER)
    )
    await responder("good", asked).answer(body)
    assert asked[0].matches(twin)
    assert not asked[0].matches(pki["alice"])


@given(st.binary(max_size=200))
async def test_whatever_is_sent_is_answered(body: bytes) -> None:
    answer = ocsp.load_der_ocsp_response(await responder("good").answer(body))
    assert answer.response_status == ocsp.OCSPResponseStatus.MALFORMED_REQUEST
