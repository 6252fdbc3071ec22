"""Why a RADIUS server refused a user: from its answer, and from its log if that says more.

An answer contains less than the server knows: within EAP it is only a failure, and a user outside
the required group cannot be distinguished from one with a wrong password. So reports also use the
log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from radius.printable import printable

Reason = Literal[
    "password",  # wrong password; or an unknown user, where the server does not distinguish them
    "unknown-user",  # the server or the directory does not know the user
    "no-method",  # the server does not accept the client's authentication method
    "disabled",  # the account is disabled
    "locked-out",  # too many wrong passwords
    "must-change-password",  # the password has expired, or must be changed at the next login
    "account-expired",
    "outside-hours",  # outside the user's permitted logon hours
    "not-in-group",  # the user is not in the required group
    "no-directory",  # the server cannot reach the domain controller
    "certificate",  # the server does not accept the user's certificate
    "certificate-revoked",
    "second-factor-denied",
    "second-factor-late",  # approved after the gateway had given up
    "typed-code",  # the server asks for a typed code, which VPN clients do not support
    "no-keys",  # accepted without keys for the tunnel, which is as good as refused
    "radius-no-answer",  # no RADIUS server answered in time
    "radius-unsigned",  # the RADIUS server's answers lack a Message-Authenticator: none is taken
    "refused",  # refused without a reason
]
"""Why a user was refused."""
REASONS: tuple[Reason, ...] = get_args(Reason)

DENIED = "The second factor was denied"
LATE = "The second factor came too late"
TYPED = "A code would have to be typed"
"""The push proxy's texts in a Reply-Message, RADIUS's only place for a reason."""

_ERRORS: dict[int, Reason] = {
    646: "outside-hours",
    647: "disabled",
    648: "must-change-password",
    649: "not-in-group",
    691: "password",
}
"""RFC 2759, section 6; 649: the account has no dial-in permission."""

_PHRASES: dict[Reason, tuple[str, ...]] = {
    "not-in-group": (r"0xc000015b",),
    "disabled": (r"account (has been |is )?disabled", r"0xc0000072"),
    "locked-out": (r"account (has been |is )?(automatically )?locked", r"0xc0000234"),
    "account-expired": (r"account (has )?expired", r"0xc0000193"),
    "must-change-password": (
        r"must (be )?change",
        r"password (has )?expired",
        r"0xc0000071",
        r"0xc0000224",
    ),
    "outside-hours": (r"logon hours", r"0xc000006f"),
    "no-directory": (r"no logon servers", r"0xc000005e", r"0xc0000233"),
    "certificate-revoked": (r"certificate revoked",),
    "certificate": (r"certificate", r"unknown ca\b", r"eap_tls"),
    "second-factor-denied": (re.escape(DENIED),),
    "typed-code": (re.escape(TYPED),),
    "no-method": (
        r"no Auth-Type",  # no module of FreeRADIUS's took the request
        r"no mutually acceptable types",
        r"NAK'd",
    ),
    "unknown-user": (
        r"0xc0000064",
        r"no such user",
        r"not found",
        r"no NT-Password",
    ),
    "password": (
        r"logon failure",
        r"incorrect",
        r"does not match \"known good\"",
        r"0xc000006[ad]",
    ),
}
"""Phrases of FreeRADIUS, winbindd's NTSTATUS, and Reply-Messages; the first match decides."""
_WORDS = [("|".join(phrases), reason) for reason, phrases in _PHRASES.items()]
"""Compiled at their first use: most programs only import this module's types."""
_CHAP_ERROR = re.compile(rb"E=(\d{1,10})")


def of_words(text: str) -> Reason | None:
    """The reason in a server's message; None: it contains no known phrase."""
    return next((why for words, why in _WORDS if re.search(words, text, re.IGNORECASE)), None)


def of_chap_error(value: bytes) -> tuple[Reason, int]:
    """Reason and error number of an MS-CHAP-Error (identifier, then `E=691 R=1 C=... V=3 M=...`,
    RFC 2548).

    The number alone is not enough: FreeRADIUS sends 691 for a disabled account and 647 for a
    locked one; only the text is right.
    """
    text = value[1:].decode("latin-1")
    found = _CHAP_ERROR.search(value)
    number = int(found[1]) if found else 691
    return of_words(text.partition("M=")[2]) or _ERRORS.get(number, "password"), number


def of_reply(chap_error: bytes | None, messages: str) -> tuple[Reason, int]:
    """Reason and error number of an Access-Reject, by its MS-CHAP-Error, else its Reply-Message."""
    if chap_error is not None:
        return of_chap_error(chap_error)
    return of_words(messages) or "refused", 691


@dataclass(frozen=True)
class Refusal:
    """A refusal found in a server's log."""

    user: str
    reason: Reason
    message: str
    """The server's message."""


_ECHOES = (
    "eap_peap: The users session was previously rejected",
    "eap: Failed continuing EAP TLS (13) session",
)
"""FreeRADIUS's messages about the outer user after it has refused the inner one, or the owner of a
certificate."""
_NAMED = re.compile(r"(?:\w+: )?(?:\(TLS\) )?Certificate CN \(")
"""The beginning of a message that contains a certificate's and a user's name."""


def of_freeradius(log: str) -> Iterator[Refusal]:
    """The refusals in FreeRADIUS's log, in order. Each line contains, in hexadecimal, the user's
    name and the server's message (radius.freeradius_sections); other lines are ignored."""
    for line in log.splitlines():
        try:
            user, why = (bytes.fromhex(part).decode(errors="replace") for part in line.split(" "))
        except ValueError:
            continue
        if not why.startswith(_ECHOES):
            reason = "certificate" if _NAMED.match(why) else of_words(why)
            yield Refusal(bare(user), reason or "refused", printable(why or "refused"))


def of_push_proxy(log: str) -> Iterator[Refusal]:
    """The refusals in radius.push_proxy's log, its lines with a reason, in order."""
    for line in log.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        match record:
            case {"user": str(user), "reason": reason, "message": str(message)}:
                if reason in REASONS:
                    yield Refusal(bare(user), reason, message)


def telling(
    user: str, logs: Sequence[Sequence[Refusal]], *, agreed: bool = False
) -> Refusal | None:
    """The most specific of the user's last refusals in each log. `agreed`: None if one log has
    several reasons, for it does not tell one user's dials apart."""
    own = [[one for one in log if one.user.lower() == bare(user).lower()] for log in logs]
    if agreed and any(len({one.reason for one in log}) > 1 for log in own):
        return None
    return most_telling(log[-1] for log in own if log)


def most_telling(found: Iterable[Refusal | None]) -> Refusal | None:
    """The first that is neither "password" nor "refused", otherwise the first."""
    refusals = [one for one in found if one is not None]
    return min(refusals, key=lambda one: one.reason in ("password", "refused"), default=None)


def bare(user: str) -> str:
    """The user's name in `DOMAIN\\user`, `DOMAIN\\\\user` (in logs) or `user@domain`."""
    return user.rpartition("\\")[2].partition("@")[0]
