"""What a hostile client does otherwise than an honest one; for tests of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["nonce", "certificate hash", "MAC"]
Step = Literal["http", "request", "ppp", "authentication", "binding", "network", "echo"]


@dataclass(frozen=True)
class Tamper:
    """An honest client unless told otherwise.

    `wrong`: what of the crypto binding is wrong; a wrong nonce or certificate hash has a right MAC
    over it. `replayed`: this Call Connected, recorded in another call, is sent instead.
    `repeated`: Call Connected is sent twice. `early`: an IP packet that is sent as soon as PPP
    starts, long before the binding. `silent_at`: from this step on nothing more is sent.
    """

    wrong: Part | None = None
    replayed: bytes | None = None
    repeated: bool = False
    early: bytes | None = None
    silent_at: Step | None = None


HONEST = Tamper()


def flipped(data: bytes) -> bytes:
    """The same with its first bit turned over."""
    return bytes([data[0] ^ 0x80]) + data[1:]
