"""MS-CHAPv2 (RFC 2759) and the keys derived from it (RFC 3079 section 3).

The protocol uses MD4 and single DES; it is secure only inside a tunnel such as SSTP's TLS.
Only who knows a password needs them: not the gateway, whose SSTP worker would spend a quarter of
its start on importing them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.ppp import keys
from gateway.ppp.events import MsChapV2Attempt
from gateway.ppp.keys import BindingKey

CHALLENGE_LENGTH = 16
VALUE_LENGTH = 49
"""Bytes of a Response's value: peer challenge 16, zeros 8, NT response 24, flags 1."""

_SIGNING = (
    b"Magic server to client signing constant",
    b"Pad to make it do more than one iteration",
)
_MASTER = b"This is the MPPE Master Key"
_CLIENT_SENDS = (
    b"On the client side, this is the send key; on the server side, it is the receive key."
)
_CLIENT_RECEIVES = (
    b"On the client side, this is the receive key; on the server side, it is the send key."
)
_PAD_1 = bytes(40)
_PAD_2 = b"\xf2" * 40
_FAILURE = re.compile(r"E=(\d{1,10})(?:[^M]*M=(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Verified:
    """The password is right: keys, and the "S=..." that proves to the peer that we know it."""

    keys: tuple[BindingKey, ...]
    authenticator_response: str = field(repr=False)


class Exchange:
    """The peer's side: its response to a challenge, and the proof that it expects."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._hash = nt_password_hash(password)
        self._challenges = b"", b""
        self._response = b""

    def respond(self, authenticator: bytes, entropy: Callable[[int], bytes]) -> bytes:
        """The value of the Response; the same for a retransmitted challenge."""
        if authenticator != self._challenges[0]:
            peer = entropy(CHALLENGE_LENGTH)
            self._challenges = authenticator, peer
            self._response = nt_response(authenticator, peer, self._user, self._hash)
        return self._challenges[1] + bytes(8) + self._response + b"\0"

    def proves(self, message: bytes) -> bool:
        """Whether this Success message proves that the server knows the password."""
        authenticator, peer = self._challenges
        expected = authenticator_response(
            self._hash, self._response, peer, authenticator, self._user
        )
        return hmac.compare_digest(expected.encode(), message[:42])

    @property
    def keys(self) -> tuple[BindingKey, ...]:
        """The binding keys of the last response."""
        return binding_keys(self._hash, self._response)


def parse_response(value: bytes) -> tuple[bytes, bytes]:
    """Peer challenge and NT response of VALUE_LENGTH bytes."""
    return value[:16], value[24:48]


def verify(attempt: MsChapV2Attempt, password: str) -> Verified | None:
    """Check a peer's response against the password; None: it is wrong."""
    hashed = nt_password_hash(password)
    expected = nt_response(
        attempt.authenticator_challenge, attempt.peer_challenge, attempt.user, hashed
    )
    if not hmac.compare_digest(expected, attempt.nt_response):
        return None
    proof = authenticator_response(
        hashed,
        attempt.nt_response,
        attempt.peer_challenge,
        attempt.authenticator_challenge,
        attempt.user,
    )
    return Verified(binding_keys(hashed, attempt.nt_response), proof)


def nt_password_hash(password: str) -> bytes:
    """RFC 2759 8.3, 16 bytes."""
    return _md4(password.encode("utf-16-le", "surrogatepass"))


def nt_response(authenticator: bytes, peer: bytes, user: str, password_hash: bytes) -> bytes:
    """RFC 2759 8.1, 24 bytes."""
    from Crypto.Cipher import DES  # noqa: PLC0415 (as above)

    challenge = challenge_hash(peer, authenticator, user)
    padded = password_hash.ljust(21, b"\0")
    return b"".join(
        DES.new(_des_key(padded[start : start + 7]), DES.MODE_ECB).encrypt(challenge)  # noqa: S304 - RFC 2759's
        for start in (0, 7, 14)
    )


def challenge_hash(peer: bytes, authenticator: bytes, user: str) -> bytes:
    """RFC 2759 8.2, 8 bytes; a domain before a backslash is ignored."""
    name = user.rpartition("\\")[2].encode("utf-8", "replace")
    return _sha1(peer, authenticator, name)[:8]


def authenticator_response(
    password_hash: bytes, response: bytes, peer: bytes, authenticator: bytes, user: str
) -> str:
    """RFC 2759 8.7: "S=" and 40 hexadecimal digits."""
    digest = _sha1(_md4(password_hash), response, _SIGNING[0])
    proof = _sha1(digest, challenge_hash(peer, authenticator, user), _SIGNING[1])
    return "S=" + proof.hex().upper()


def binding_keys(password_hash: bytes, response: bytes) -> tuple[BindingKey, ...]:
    """RFC 3079 3.3 and 3.4, 128 bits."""
    master = _sha1(_md4(password_hash), response, _MASTER)[:16]
    return keys.from_mschapv2(
        _start_key(master, _CLIENT_SENDS), _start_key(master, _CLIENT_RECEIVES)
    )


def failure_message(error: int, challenge: bytes, message: str, *, retry: bool) -> bytes:
    """RFC 2759 section 6; `challenge` is for the next try."""
    head = f"E={error} R={int(retry)} C={challenge.hex().upper()} V=3"
    return (f"{head} M={message}" if message else head).encode("utf-8", "replace")


def explain_failure(data: bytes) -> str:
    """A Failure message as text for people: error number and text, without the challenge."""
    failure = parse_failure(data.decode("utf-8", "replace"))
    if failure is None:
        return "the server refuses"
    error, message = failure
    return f"E={error} {message}" if message else f"E={error}"


def parse_failure(text: str) -> tuple[str, str] | None:
    """Error number and text of a Failure message; None: it is not one."""
    match = _FAILURE.match(text)
    return (match[1], match[2] or "") if match else None


def _start_key(master: bytes, magic: bytes) -> bytes:
    return _sha1(master, _PAD_1, magic, _PAD_2)[:16]


def _des_key(seven: bytes) -> bytes:
    """Spread 56 bits over eight bytes, the lowest of each (parity) left at zero."""
    bits = int.from_bytes(seven, "big")
    return bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))


def _md4(data: bytes) -> bytes:
    from Crypto.Hash import MD4  # noqa: PLC0415 (as above)

    return MD4.new(data).digest()  # noqa: S303 - RFC 2759's


def _sha1(*parts: bytes) -> bytes:
    return hashlib.sha1(b"".join(parts), usedforsecurity=False).digest()
