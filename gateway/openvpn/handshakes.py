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
from typing import TYPE_CHECKING, TypeVar

from gateway.policy.diagnostics import now

if TYPE_CHECKING:
    from gateway.common.vocabulary import Reason

REMEMBERED = 4096
"""More connections than openvpn has places (gateway.openvpn.half_open)."""

T = TypeVar("T")
_Endpoint = tuple[str, str]
"""Public address and port."""

_ESTABLISHED = re.compile(
    r"(?:[\d.]+:\d+ )?TCP connection established with \[AF_INET\](?P<address>[\d.]+):(?P<port>\d+)"
)
"""The prefix is the connection that openvpn served before."""
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
    ("unsupported protocol", "tls"),
    ("version too low", "tls"),
    ("no shared cipher", "tls"),
    ("no suitable signature algorithm", "tls"),
)


@dataclass(frozen=True)
class Refusal:
    """A handshake that openvpn aborted."""

    address: str
    port: str
    reason: Reason
    message: str
    user: str = ""
    """The common name of the client's certificate, unless it is ambiguous."""
    serial: str = ""
    """The certificate's serial number, decimal."""
    of_another_key: bool = False
    """Whether the issuer that openvpn found by its name has another key."""


class Handshakes:
    """Finds connections and refusals in the log, at most one refusal per connection."""

    def __init__(self) -> None:
        self._begun: OrderedDict[_Endpoint, str] = OrderedDict()
        self._done: OrderedDict[_Endpoint, None] = OrderedDict()

    def began(self, address: str, port: str) -> str:
        """When the newest connection from there was accepted; empty if that is not known."""
        return self._begun.get((address, port), "")

    def feed(self, line: str) -> Refusal | None:
        """The refusal in a log line, if it is the first one of its connection."""
        if accepted := _ESTABLISHED.fullmatch(line):
            key = (accepted["address"], accepted["port"])
            self._done.pop(key, None)
            self._begun.pop(key, None)
            _remember(self._begun, key, now())
            return None
        peer = _PEER.fullmatch(line)
        if not peer:
            return None
        key = (peer["address"], peer["port"])
        found = _read(*key, peer["text"])
        if not found or key in self._done:
            return None
        _remember(self._done, key, None)
        return found


def _remember(table: OrderedDict[_Endpoint, T], key: _Endpoint, value: T) -> None:
    table[key] = value
    if len(table) > REMEMBERED:
        table.popitem(last=False)


def _read(address: str, port: str, text: str) -> Refusal | None:
    if verify := _VERIFY.fullmatch(text):
        reasons: list[Reason] = [reason for part, reason in _ERRORS if part in verify["error"]]
        reason = reasons[0] if reasons else "untrusted"
        if reason == "no-client-auth" and verify["depth"] != "0":  # an issuer's wrong purpose
            reason = "untrusted"
        other = verify["error"] == _OTHER_KEY
        whole = verify["serial"] is not None and len(text.encode(errors="replace")) <= LONGEST_WHOLE
        if verify["depth"] != "0" or not whole:
            return Refusal(address, port, reason, text, of_another_key=other)
        name = _ONE_NAME.fullmatch(verify["subject"])
        serial = verify["serial"] if verify["serial"][-1].isdigit() else ""
        return Refusal(address, port, reason, text, name["name"] if name else "", serial, other)
    if text.startswith("VERIFY ERROR: "):
        empty = "could not extract X509 subject string" in text
        why = "openvpn takes no certificate with an empty subject: " if empty else ""
        return Refusal(address, port, "refused", why + text)
    if broken := _TLS.fullmatch(text):
        for part, reason in _LINES:
            if part == broken["error"]:
                return Refusal(address, port, reason, text)
    return None
