"""Why a TLS handshake failed: maps OpenSSL's error to a Reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.common.vocabulary import Reason

_NOTHING_IN_COMMON = (
    "UNSUPPORTED_PROTOCOL",
    "VERSION_TOO_LOW",
    "ALERT_PROTOCOL_VERSION",
    "INAPPROPRIATE_FALLBACK",
    "NO_SHARED_CIPHER",
    "NO_SHARED_GROUP",
    "NO_SUITABLE_SIGNATURE_ALGORITHM",
    "NO_SHARED_SIGNATURE_ALGORITHMS",
    "NO_SUITABLE_GROUPS",
    "ALERT_HANDSHAKE_FAILURE",
    "ALERT_INSUFFICIENT_SECURITY",
)
_ALERTS = ("_ALERT_", "CERTIFICATE_UNKNOWN")
"""The client aborted: mostly because it does not trust the gateway's certificate."""


def reason(openssl_reason: str, error: str) -> tuple[Reason, str]:
    """Reason and message for TlsConnection.openssl_reason and TlsConnection.ended."""
    message = f"the TLS handshake failed: {error}"
    if any(word in openssl_reason for word in _NOTHING_IN_COMMON):
        return "tls", message
    if any(word in openssl_reason for word in _ALERTS):
        return "refused", f"the client aborted the TLS handshake: {error}"
    return "protocol", message
