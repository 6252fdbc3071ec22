"""A client and a RADIUS server that do not agree on how the user is authenticated. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.explain.document import authenticated_by
from lab.explain.model import Finding, failure, stamp

if TYPE_CHECKING:
    from lab.explain.attempt import Attempt

_NO_TLS = re.compile(r"protocol version|unsupported protocol|no shared cipher|handshake failure")


def no_method(attempt: Attempt) -> Finding:
    """The server does not take the way in which the client proves who its user is."""
    layer, cause, remedy = attempt.meaning
    servers, told = (attempt.methods.servers, attempt.methods.told) if attempt.methods else ((), ())
    own = "a certificate (EAP-TLS)" if attempt.thumbprint else "a password"
    parts = [
        cause,
        *([f"the client has {own}, and {'; '.join(servers)}"] if servers else []),
    ]
    words = f"{': '.join(parts)}{since_changed(attempt)}"
    proof = (*servers, *(f"the client's charon: {line}" for line in told))
    lines = (*attempt.said, *proof, *attempt.recent)
    return failure(layer, words, *lines, remedy=remedy, at=attempt.moment)


def not_accepted(attempt: Attempt) -> Finding:
    """The server does not accept the certificate, or speaks no TLS with the client."""
    layer, cause, remedy = attempt.meaning
    tls = attempt.methods.tls if attempt.methods else ()
    why = attempt.told.message if attempt.told else attempt.why
    if attempt.told and _NO_TLS.search(why):
        layer, remedy = "tls", "let the client speak TLS 1.2"
        versions = f": {'; '.join(tls)}" if tls else ""
        cause = f"the client and the RADIUS server agree on no TLS for EAP-TLS{versions}"
        lines = (*attempt.said, *tls, *attempt.recent)
        return failure(layer, cause, *lines, remedy=remedy, at=attempt.moment)
    words = f"{cause}: {why}{since_changed(attempt)}"
    lines = (*attempt.said, *attempt.recent)
    return failure(layer, words, *lines, remedy=remedy, at=attempt.moment)


def since_changed(attempt: Attempt) -> str:
    """That the operator has changed how clients are authenticated, and since when."""
    key = "vpnAuthenticationTypes"
    changes = attempt.changes(key)
    if not changes:
        return ""
    types = ", ".join(authenticated_by(attempt.document)) or "nothing"
    return f"; the gateway's {key} is {types} since an update at {stamp(changes[-1].at)}"
