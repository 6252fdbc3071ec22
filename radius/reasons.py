"""Why a RADIUS server refused, in words: from its answer, and from its log where that says more.

An answer says less than the server knows: within EAP it is a bare failure, and somebody outside
the permitted group looks like somebody with a wrong password. So a report asks the log too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from radius.printable import printable

Reason = Literal[
    "password",  # wrong password or unknown user: servers do not tell them apart
    "disabled",  # the account is disabled
    "locked-out",  # too many wrong passwords
    "must-change-password",  # expired, or to be changed at the next login
    "account-expired",
    "outside-hours",  # of the hours in which the user may log in
    "not-in-group",  # nobody outside a group is let in
    "no-directory",  # the server does not reach the domain controller
    "certificate",  # the server does not accept the user's certificate
    "certificate-revoked",
    "second-factor-denied",
    "second-factor-late",  # approved, when the gateway had given up
    "typed-code",  # the server asks for a code to be typed, which a VPN client cannot
    "no-keys",  # accepted without keys for the tunnel, which is as good as not accepted
    "radius-no-answer",  # no RADIUS server answered in time
    "refused",  # refused, and the server gives no more
]
"""Why nobody came in."""
REASONS: tuple[Reason, ...] = get_args(Reason)

DENIED = "The second factor was denied"
LATE = "The second factor came too late"
TYPED = "A code would have to be typed"
"""What the push proxy says in a Reply-Message, the only place in RADIUS for a reason."""

_ERRORS: dict[int, Reason] = {
    646: "outside-hours",
    647: "disabled",
    648: "must-change-password",
    649: "not-in-group",
    691: "password",
}
"""RFC 2759, section 6; 649 is the dial-in permission that an account lacks."""

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
    "password": (
        r"logon failure",
        r"incorrect",
        r"does not match \"known good\"",
        r"0xc000006[ad]",
        r"0xc0000064",
        r"no such user",
        r"not found",
        r"no NT-Password",
        r"no Auth-Type",  # FreeRADIUS does not know the user
    ),
}
"""Of FreeRADIUS, winbindd's NTSTATUS, and Reply-Messages; the first that fits."""
_WORDS = [
    (re.compile("|".join(phrases), re.IGNORECASE), reason) for reason, phrases in _PHRASES.items()
]
_CHAP_ERROR = re.compile(rb"E=(\d{1,10})")


def of_words(text: str) -> Reason | None:
    """What a server's text says, None: nothing of this."""
    return next((reason for pattern, reason in _WORDS if pattern.search(text)), None)


def of_chap_error(value: bytes) -> tuple[Reason, int]:
    """An MS-CHAP-Error (identifier, then `E=691 R=1 C=... V=3 M=...`, RFC 2548): word, number.

    The number alone is not enough: FreeRADIUS says 691 of a disabled account and 647 of a locked
    one, and puts the truth into the text.
    """
    said = value[1:].decode("latin-1")
    found = _CHAP_ERROR.search(value)
    number = int(found[1]) if found else 691
    return of_words(said.partition("M=")[2]) or _ERRORS.get(number, "password"), number


def of_reply(chap_error: bytes | None, messages: str) -> tuple[Reason, int]:
    """Of an Access-Reject: its MS-CHAP-Error, then its Reply-Message; word and error number."""
    if chap_error is not None:
        return of_chap_error(chap_error)
    return of_words(messages) or "refused", 691


@dataclass(frozen=True)
class Refusal:
    """A refusal as a server's log tells it."""

    user: str
    reason: Reason
    message: str
    """The server's own words."""


_ECHO = "eap_peap: The users session was previously rejected"
"""What FreeRADIUS says of the outer user, when it has refused the inner one."""
_NAMED = re.compile(r"(?:\w+: )?(?:\(TLS\) )?Certificate CN \(")
"""How a message begins that has a certificate's and a user's name in it."""


def of_freeradius(log: str) -> Iterator[Refusal]:
    """Of the lines that radius.freeradius has it write, in order: in hexadecimal the user's name
    and the server's own first words on it. Anything else is passed over."""
    for line in log.splitlines():
        try:
            user, why = (bytes.fromhex(part).decode(errors="replace") for part in line.split(" "))
        except ValueError:
            continue
        if not why.startswith(_ECHO):
            reason = "certificate" if _NAMED.match(why) else of_words(why)
            yield Refusal(bare(user), reason or "refused", printable(why or "refused"))


def of_push_proxy(log: str) -> Iterator[Refusal]:
    """Of the lines of radius.push_proxy that have a reason, in order."""
    for line in log.splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        match told:
            case {"user": str(user), "reason": reason, "message": str(message)}:
                if reason in REASONS:
                    yield Refusal(bare(user), reason, message)


def telling(user: str, logs: Sequence[Sequence[Refusal]]) -> Refusal | None:
    """The last refusal of this user in each log, and of those the one that tells most."""
    last = [
        next((one for one in reversed(log) if one.user.lower() == bare(user).lower()), None)
        for log in logs
    ]
    return most_telling(last)


def most_telling(found: Iterable[Refusal | None]) -> Refusal | None:
    """The first that is not just a wrong password or a bare refusal, else the first."""
    told = [one for one in found if one is not None]
    return min(told, key=lambda one: one.reason in ("password", "refused"), default=None)


def bare(user: str) -> str:
    """The name of `DOMAIN\\user`, `DOMAIN\\\\user` in a log, or `user@domain`."""
    return user.rpartition("\\")[2].partition("@")[0]
