"""What charon's log says about each attempt to connect: who, from where, and why not. Pure.

vici has no event for a refused client, but its log events name the IKE_SA; this reads them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

    from gateway.engines.vici_messages import LogLine
    from gateway.vocabulary import Reason

REMEMBERED = 1000
_DATE = "%b %d %H:%M:%S %Y"


@dataclass
class Attempt:
    """An IKE_SA on its way; `subject` as charon prints it."""

    uniqueid: str
    address: str = ""
    subject: str = ""
    reason: Reason | None = None
    message: str = ""
    over: bool = False
    """Established, or refused and told."""
    checking: str = ""
    """Subject of the certificate whose status is looked for."""


class Attempts:
    """All attempts, by unique id."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()
        self._asking: list[Attempt] = []
        """Those for whose sake the OCSP responder is asked, in order, until `claim` tells."""

    def feed(self, line: LogLine) -> Attempt | None:
        """An attempt, if this line says that it has been refused."""
        if not line.uniqueid:
            return None
        attempt = self.of(line.uniqueid)
        for pattern, handle in _LINES:
            match = pattern.search(line.text)
            if match:
                handle(attempt, match, self._now())
        self._note_asking(attempt, line.text)
        if attempt.over or not _END.search(line.text):
            return None
        attempt.over = True
        return attempt

    def of(self, uniqueid: str) -> Attempt:
        """The attempt of an IKE_SA."""
        attempt = self._attempts.get(uniqueid)
        if attempt is None:
            attempt = self._attempts[uniqueid] = Attempt(uniqueid)
            if len(self._attempts) > REMEMBERED:
                self._attempts.popitem(last=False)
        return attempt

    def claim(self, certificate: str) -> Attempt | None:
        """Who asks the OCSP responder again about a subject: of several, the first that began to.

        Each asking is given out once.
        """
        for attempt in self._asking:
            if attempt.checking == certificate:
                self._asking.remove(attempt)
                return attempt
        return None

    def _note_asking(self, attempt: Attempt, text: str) -> None:
        if _ASKS.search(text):
            self._asking.append(attempt)
        elif _ANSWERED.search(text) and attempt in self._asking:
            self._asking.remove(attempt)


AGAIN = "/again"
_END = re.compile(
    r"N\(AUTH_FAILED\)|N\(NO_PROP\)|N\(INT_ADDR_FAIL\)|sending fatal TLS alert|N\(TS_UNACCEPT\)"
)


_ASKS = re.compile(rf"requesting ocsp status from '.*{AGAIN}'")
_ANSWERED = re.compile(r"ocsp response|ocsp request to .* failed|certificate status is")


def _initiated(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.address = match[1]


def _identified(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.subject = match[1]


def _checking(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.checking = match[1]


def _untrusted(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.reason, attempt.message = "untrusted", match[0].strip()


def _invalid(attempt: Attempt, match: re.Match[str], now: datetime) -> None:
    """charon runs with TZ=UTC."""
    attempt.message = match[0].strip()
    try:
        start = datetime.strptime(match[1], _DATE).replace(tzinfo=UTC)
    except ValueError:
        attempt.reason = "expired"
        return
    attempt.reason = "not-yet-valid" if now < start else "expired"


def _revoked(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.reason, attempt.message = "revoked", match[0].strip()


def _no_address(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.reason, attempt.message = "no-address", match[0].strip()


def _said(attempt: Attempt, match: re.Match[str], _now: datetime) -> None:
    attempt.message = attempt.message or match[0].strip()


_LINES: tuple[tuple[re.Pattern[str], Callable[[Attempt, re.Match[str], datetime], None]], ...] = (
    (re.compile(r"^(\S+) is initiating an IKE_SA"), _initiated),
    (re.compile(r'received end entity cert "(.*)"$'), _identified),
    (re.compile(r"received TLS peer certificate '(.*)'$"), _identified),
    (re.compile(r'checking certificate status of "(.*)"$'), _checking),
    (re.compile(r"no issuer certificate found for .*"), _untrusted),
    (re.compile(r"self-signed certificate .* is not trusted"), _untrusted),
    (re.compile(r"certificate invalid \(valid from (.*?) to (.*?)\)"), _invalid),
    (re.compile(r"certificate was revoked on .*"), _revoked),
    (
        re.compile(r"no virtual IP found for .*|pool .* is full.*|no available address.*"),
        _no_address,
    ),
    (re.compile(r"received proposals unacceptable|no shared key found.*"), _said),
    (
        re.compile(r"constraint check failed: .*|no peer config found.*|no trusted .* found .*"),
        _said,
    ),
)

# charon's names of attribute types, where they differ from RFC 4514's
_NAMES = {
    NameOID.EMAIL_ADDRESS: "E",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.SURNAME: "S",
    NameOID.GIVEN_NAME: "G",
    NameOID.TITLE: "T",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.DN_QUALIFIER: "dnQualifier",
}


def subject(name: x509.Name) -> str:
    """A distinguished name as charon prints it: in the certificate's order, '?' for each byte
    that is not printable ASCII."""
    return ", ".join(
        f"{_NAMES.get(attribute.oid, attribute.rfc4514_attribute_name)}={_value(attribute.value)}"
        for attribute in name
    )


def common_name(name: str) -> str:
    """The common name in what charon printed; all of it if there is none."""
    match = re.search(r"(?:^|, )CN=([^,]*)", name)
    return match[1] if match else name


def _value(value: str | bytes) -> str:
    data = value.encode() if isinstance(value, str) else value
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in data)
