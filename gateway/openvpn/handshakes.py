"""Why openvpn itself broke off a handshake, for people.

openvpn verifies the chain before the gate is asked, and says only in its log that it refused one:
one refusal a connection. What is read there is for people, never for a decision. A line that
counts begins with `address:port`, which the kernel gave, and goes on in openvpn's own words; what
a client wrote comes behind those only, because openvpn puts no name of the client's before a line
(openvpn_config: x509-username-field). Pure.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.common.vocabulary import Reason

REMEMBERED = 500

_PEER = re.compile(r"(?P<address>\d+\.\d+\.\d+\.\d+):(?P<port>\d+) (?P<text>.*)")
_VERIFY = re.compile(
    r"VERIFY ERROR: depth=(?P<depth>\d+), error=(?P<error>[^:]*): (?P<subject>.*?)"
    r"(?:, serial=(?P<serial>-?\d+|<not available>))?"
)
_TLS = re.compile(r"OpenSSL: error:[0-9A-F]+:SSL routines:[^:]*:(?P<error>[^:]+)(?::.*)?")
_ONE_NAME = re.compile(r"CN=(?P<name>[^,+=]*)")
"""A subject of nothing but a common name: of any other it cannot be told where a value ends."""
LONGEST_WHOLE = 1000
"""Bytes: openvpn cuts a line at 1,280, and what then stands at its end may be anything."""

_ERRORS: tuple[tuple[str, Reason], ...] = (
    ("certificate has expired", "expired"),
    ("certificate is not yet valid", "not-yet-valid"),
    ("certificate purpose", "no-client-auth"),  # un-"supported" or un-"suitable", by version
)
"""OpenSSL's words; all others are "untrusted", as in gateway.policy.trust."""
_LINES: tuple[tuple[str, Reason], ...] = (
    ("peer did not return a certificate", "no-certificate"),
    ("unsupported protocol", "refused"),
    ("no shared cipher", "refused"),
)


@dataclass(frozen=True)
class Refusal:
    """A connection that openvpn broke off."""

    address: str
    reason: Reason
    message: str
    user: str = ""
    """The common name of the certificate that was shown, where it is not ambiguous."""
    serial: str = ""
    """Its serial number, decimal."""


class Handshakes:
    """Remembers which connections have had their refusal."""

    def __init__(self) -> None:
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()

    def feed(self, line: str) -> Refusal | None:
        """A refusal, if this log line is the first to tell one for its connection."""
        peer = _PEER.fullmatch(line)
        if not peer:
            return None
        found = _read(peer["address"], peer["text"])
        key = (peer["address"], peer["port"])
        if not found or key in self._done:
            return None
        self._done[key] = None
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        return found


def _read(address: str, text: str) -> Refusal | None:
    if verify := _VERIFY.fullmatch(text):
        reasons: list[Reason] = [reason for part, reason in _ERRORS if part in verify["error"]]
        reason = reasons[0] if reasons else "untrusted"
        if reason == "no-client-auth" and verify["depth"] != "0":  # an authority's, not for that
            reason = "untrusted"
        whole = verify["serial"] is not None and len(text.encode(errors="replace")) <= LONGEST_WHOLE
        if verify["depth"] != "0" or not whole:
            return Refusal(address, reason, text)
        name = _ONE_NAME.fullmatch(verify["subject"])
        serial = verify["serial"] if verify["serial"][-1].isdigit() else ""
        return Refusal(address, reason, text, name["name"] if name else "", serial)
    if text.startswith("VERIFY ERROR: "):  # such as that the subject is empty
        return Refusal(address, "refused", text)
    if broken := _TLS.fullmatch(text):
        for part, reason in _LINES:
            if part == broken["error"]:
                return Refusal(address, reason, text)
    return None
