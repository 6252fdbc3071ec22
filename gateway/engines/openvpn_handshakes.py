"""Who a client is, from openvpn's environment, and why openvpn itself broke off a handshake.

openvpn verifies the chain before the gate is asked, and says only in its log that it refused one:
one refusal a connection. Pure.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.vocabulary import Reason

REMEMBERED = 500

_PEER = re.compile(r"^(?:\S+/)?(?P<address>\d+\.\d+\.\d+\.\d+):(?P<port>\d+) (?P<text>.*)$")
_VERIFY = re.compile(r"^VERIFY ERROR: depth=\d+, error=(?P<error>[^:]*): (?P<subject>.*)$")
_COMMON_NAME = re.compile(r"(?:^|, )CN=(?P<name>[^,]*)")

_ERRORS: tuple[tuple[str, Reason], ...] = (
    ("certificate has expired", "expired"),
    ("certificate is not yet valid", "not-yet-valid"),
    ("certificate purpose", "no-client-auth"),  # un-"supported" or un-"suitable", by version
    ("issuer certificate", "untrusted"),
    ("self-signed certificate", "untrusted"),
    ("self signed certificate", "untrusted"),
    ("unable to verify the first certificate", "untrusted"),
    ("certificate signature failure", "untrusted"),
    ("invalid CA certificate", "untrusted"),
    ("revoked", "revoked"),
)
_LINES: tuple[tuple[str, Reason], ...] = (
    ("peer did not return a certificate", "no-certificate"),
    ("unsupported protocol", "refused"),
    ("no shared cipher", "refused"),
)


@dataclass(frozen=True)
class Refusal:
    """A connection that openvpn broke off."""

    address: str
    user: str
    reason: Reason
    message: str


class Handshakes:
    """Remembers which connections have had their refusal."""

    def __init__(self) -> None:
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()

    def feed(self, line: str) -> Refusal | None:
        """A refusal, if this log line is the first to tell one for its connection."""
        peer = _PEER.match(line)
        if not peer:
            return None
        found = _read(peer["text"])
        key = (peer["address"], peer["port"])
        if not found or key in self._done:
            return None
        self._done[key] = None
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        user, reason, message = found
        return Refusal(peer["address"], user, reason, message)


def _read(text: str) -> tuple[str, Reason, str] | None:
    verify = _VERIFY.match(text)
    if verify:
        name = _COMMON_NAME.search(verify["subject"])
        reasons: list[Reason] = [reason for part, reason in _ERRORS if part in verify["error"]]
        user = str(name["name"]) if name else ""
        return user, reasons[0] if reasons else "refused", text
    for part, reason in _LINES:
        if part in text:
            return "", reason, text
    return None
