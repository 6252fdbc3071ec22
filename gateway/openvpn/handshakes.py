"""Why openvpn itself aborted a handshake, for the log.

openvpn verifies the chain before it asks the gateway, and reports a failure only in its log. What
is read from there informs people and decides nothing; it yields one refusal per connection. A
relevant line begins with `address:port`, known from the kernel, followed by openvpn's fixed text.
Text chosen by the client can only come after that, because openvpn's prefix contains no client name
(gateway.openvpn.config: x509-username-field). Pure.
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
"""A subject with only a common name; in any other, the end of a value is ambiguous."""
LONGEST_WHOLE = 1000
"""Bytes. openvpn truncates lines at 1,280, so the end of a longer one is not reliable."""

_ERRORS: tuple[tuple[str, Reason], ...] = (
    ("certificate has expired", "expired"),
    ("certificate is not yet valid", "not-yet-valid"),
    ("certificate purpose", "no-client-auth"),  # "unsupported" or "unsuitable", by version
)
"""Parts of OpenSSL's messages; all others are "untrusted", as in gateway.policy.trust."""
_OTHER_KEY = "certificate signature failure"
_LINES: tuple[tuple[str, Reason], ...] = (
    ("peer did not return a certificate", "no-certificate"),
    ("unsupported protocol", "refused"),
    ("no shared cipher", "refused"),
)


@dataclass(frozen=True)
class Refusal:
    """A handshake that openvpn aborted."""

    address: str
    reason: Reason
    message: str
    user: str = ""
    """The common name of the client's certificate, unless it is ambiguous."""
    serial: str = ""
    """The certificate's serial number, decimal."""
    of_another_key: bool = False
    """Whether the issuer that openvpn found by its name has another key."""


class Handshakes:
    """Finds refusals in the log, at most one per connection."""

    def __init__(self) -> None:
        self._done: OrderedDict[tuple[str, str], None] = OrderedDict()

    def feed(self, line: str) -> Refusal | None:
        """The refusal in a log line, if it is the first one of its connection."""
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
        if reason == "no-client-auth" and verify["depth"] != "0":  # an issuer's wrong purpose
            reason = "untrusted"
        other = verify["error"] == _OTHER_KEY
        whole = verify["serial"] is not None and len(text.encode(errors="replace")) <= LONGEST_WHOLE
        if verify["depth"] != "0" or not whole:
            return Refusal(address, reason, text, of_another_key=other)
        name = _ONE_NAME.fullmatch(verify["subject"])
        serial = verify["serial"] if verify["serial"][-1].isdigit() else ""
        return Refusal(address, reason, text, name["name"] if name else "", serial, other)
    if text.startswith("VERIFY ERROR: "):
        empty = "could not extract X509 subject string" in text
        why = "openvpn takes no certificate with an empty subject: " if empty else ""
        return Refusal(address, "refused", why + text)
    if broken := _TLS.fullmatch(text):
        for part, reason in _LINES:
            if part == broken["error"]:
                return Refusal(address, reason, text)
    return None
