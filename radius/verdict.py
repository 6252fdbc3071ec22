"""The result of an authentication, from a RADIUS server's answer. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from radius.packet import Answer, Keys
from radius.printable import printable
from radius.reasons import Reason, of_reply

_SUCCESS = re.compile(rb"S=[0-9A-Fa-f]{40}")


@dataclass(frozen=True)
class Accept:
    """The user is accepted."""

    server: str
    keys: Keys | None = None
    """Keys for the crypto binding; None only after PAP."""
    success: str = ""
    """MS-CHAPv2's authenticator response, `S=` and 40 hexadecimal digits (RFC 2759)."""
    eap: bytes = field(default=b"", repr=False)
    """The EAP packet for the client."""
    message: str = ""
    user: str = ""
    """The user's name according to the server, sanitised (User-Name of the Access-Accept, RFC 2865,
    section 5.1); empty if it sends none. With PEAP, the outer EAP identity may be anonymous."""


@dataclass(frozen=True)
class Reject:
    """The user is refused."""

    server: str
    reason: Reason
    message: str
    eap: bytes = field(default=b"", repr=False)
    error: int = 691
    """RFC 2759, section 6."""


@dataclass(frozen=True)
class Challenge:
    """The server sends another EAP-Request to the client."""

    server: str
    eap: bytes = field(repr=False)


@dataclass(frozen=True)
class NoAnswer:
    """No server answered in time; `message` names the servers asked and any ignored answers."""

    message: str
    reason: Reason = "radius-no-answer"


Verdict = Accept | Reject | NoAnswer
EapVerdict = Verdict | Challenge


def of_pap(answer: Answer, server: str) -> Accept | Reject:
    """The verdict after PAP, which yields no keys."""
    if answer.kind == "accept":
        return Accept(server, message=answer.message, user=_user(answer))
    return _refusal(answer, server)


def of_mschapv2(answer: Answer, server: str, identifier: int) -> Accept | Reject:
    """The verdict after MS-CHAPv2: an Access-Accept must contain keys, and prove that the server
    knows the password."""
    if answer.kind != "accept":
        return _refusal(answer, server)
    success = answer.chap_success or b""
    if success[:1] != bytes((identifier,)) or not _SUCCESS.fullmatch(success[1:]):
        return Reject(server, "no-keys", "the Access-Accept has no fitting MS-CHAP2-Success")
    if answer.keys is None:
        return _keyless(server)
    proof = success[1:].decode()
    return Accept(server, answer.keys, proof, message=answer.message, user=_user(answer))


def of_eap(answer: Answer, server: str) -> Accept | Reject | Challenge:
    """The verdict on an EAP round: a challenge needs an EAP packet and a State, a success an EAP
    packet and keys."""
    if answer.kind == "reject":
        return _refusal(answer, server)
    if not answer.eap or (answer.kind == "challenge" and answer.state is None):
        return Reject(server, "refused", f"the Access-{answer.kind.title()} has no EAP-Message")
    if answer.kind == "challenge":
        return Challenge(server, answer.eap)
    if answer.keys is None:
        return _keyless(server)
    return Accept(server, answer.keys, eap=answer.eap, message=answer.message, user=_user(answer))


def _user(answer: Answer) -> str:
    return printable(answer.user.decode(errors="replace"))


def _refusal(answer: Answer, server: str) -> Reject:
    """A refusal; outside EAP, that includes a challenge: it asks for a typed code, which PPP does
    not support."""
    if answer.kind == "challenge":
        prompt = answer.message or "a code"
        return Reject(server, "typed-code", f"the server asks the user to type: {prompt}")
    reason, error = of_reply(answer.chap_error, answer.message)
    text = (answer.chap_error or b"")[1:].decode("latin-1") or answer.message
    return Reject(server, reason, text or "Access-Reject", answer.eap, error)


def _keyless(server: str) -> Reject:
    return Reject(server, "no-keys", "the Access-Accept has no MS-MPPE keys: was use_mppe off?")
