"""A certificate on a gateway's list of revoked ones. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.explain.document import entry_of
from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from lab.explain.attempt import Attempt


def revoked(attempt: Attempt) -> Finding:
    """The gateway refused the certificate for it."""
    thumbprint = str(attempt.record["thumbprint"]) if attempt.record else ""
    entry = entry_of(thumbprint, attempt.document)
    deeds = [deed for deed in attempt.deeds if deed.verb == "revoke" and thumbprint in deed.effect]
    by = f" since {stamp(deeds[-1].at)} ({deeds[-1].text})" if deeds else ""
    now = (
        f"it is listed as entry {entry!r} of vpnClientRevokedCertificates"
        if entry
        else "now it is no longer in vpnClientRevokedCertificates"
    )
    return failure(
        "revocation",
        f"the certificate with thumbprint {thumbprint} is revoked{by}: {now}",
        f"the gateway's document: vpnClientRevokedCertificates: {entry or 'no entry'}",
        *attempt.said,
        remedy=f"take the entry {entry!r} out if it is a mistake; else issue a new certificate",
        at=attempt.moment,
    )


def listed(attempt: Attempt) -> Finding | None:
    """The user's certificate is on the list, whether or not the dial came there."""
    thumbprint = attempt.thumbprint
    entry = entry_of(thumbprint, attempt.document) if thumbprint else ""
    if not entry:
        return None
    words = f"entry {entry!r} of vpnClientRevokedCertificates"
    cause = f"the client's certificate is revoked: {words}"
    seen = f"the gateway's document: {words} has the thumbprint {thumbprint}"
    return failure("revocation", cause, seen, remedy="take the entry out, if it is a mistake")
