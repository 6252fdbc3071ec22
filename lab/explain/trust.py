"""A client certificate that the gateway refused for its chain: which certificate of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.common.certificate_forms import der_of
from lab.explain.document import configuration_of
from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from lab.explain.attempt import Attempt
    from lab.explain.document import Document
    from lab.pki.authority import Credential

MOST = 5
"""Roots that are quoted."""
_ROOTS = "vpnClientRootCertificates"


def out_of_date(attempt: Attempt) -> Finding:
    """A certificate of the chain has expired, or is not valid yet."""
    layer, cause, remedy = attempt.meaning
    chain = _chain(attempt.credential)
    for number, one in enumerate(chain):
        begins, ends = one.not_valid_before_utc, one.not_valid_after_utc
        if begins.timestamp() <= attempt.at <= ends.timestamp():
            continue
        early = attempt.at < begins.timestamp()
        dates = (
            f"valid {'from' if early else 'until'} {stamp((begins if early else ends).timestamp())}"
        )
        if number:
            state = "is not valid yet" if early else "has expired"
            whose = "the root" if one.subject == one.issuer else "an issuer"
            cause = f"{_name(one.subject)}, {whose} of the client certificate, {state}"
            remedy = "issue the client certificate by an authority that is valid"
        proof = (*map(_dates, chain), *attempt.said, *attempt.recent)
        return failure(layer, f"{cause}: {dates}", *proof, remedy=remedy, at=attempt.moment)
    return failure(layer, cause, *attempt.said, *attempt.recent, remedy=remedy, at=attempt.moment)


def untrusted(attempt: Attempt) -> Finding:
    """The chain does not end at an uploaded root."""
    layer, cause, remedy = attempt.meaning
    chain, uploaded = _chain(attempt.credential), _uploaded(attempt.document)
    listed = [f"{name} ({_name(root.subject)})" for name, root in uploaded[:MOST]]
    more = f" and {len(uploaded) - MOST} more" if len(uploaded) > MOST else ""
    names = f"{', '.join(listed)}{more}" or "none"
    proof = (f"the gateway's document: {_ROOTS}: {names}", *attempt.said, *attempt.recent)
    if not chain:
        return failure(layer, cause, *proof, remedy=remedy, at=attempt.moment)
    if any(_same(chain[-1], root) for _, root in uploaded):
        cause = f"the certificate has no valid chain to its root, which is uploaded: {attempt.why}"
        return failure(layer, cause, *proof, remedy="see the proof", at=attempt.moment)
    cause = f"{cause}: its chain ends at {_name(chain[-1].issuer)}, and uploaded are {names}"
    changes = attempt.changes(_ROOTS)
    if changes:
        cause = f"{cause} since an update at {stamp(changes[-1].at)}"
    proof = (*map(_issued, chain), *proof)
    return failure(layer, cause, *proof, remedy=remedy, at=attempt.moment)


def _chain(credential: Credential | None) -> tuple[x509.Certificate, ...]:
    """From the client certificate to its root, as far as that is known."""
    return (credential.certificate, *credential.issuers) if credential else ()


def _uploaded(document: Document) -> list[tuple[str, x509.Certificate]]:
    rows = configuration_of(document).get(_ROOTS) or []
    found = ((str(row.get("name", "(no name)")), der_of(row["properties"]["publicCertData"]))
             for row in rows)  # fmt: skip
    return [(name, x509.load_der_x509_certificate(der)) for name, der in found if der]


def _same(one: x509.Certificate, other: x509.Certificate) -> bool:
    return one.public_bytes(Encoding.DER) == other.public_bytes(Encoding.DER)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()


def _dates(one: x509.Certificate) -> str:
    begins, ends = one.not_valid_before_utc.timestamp(), one.not_valid_after_utc.timestamp()
    return f"{_name(one.subject)}: valid from {stamp(begins)} until {stamp(ends)}"


def _issued(one: x509.Certificate) -> str:
    return f"{_name(one.subject)}: issued by {_name(one.issuer)}"
