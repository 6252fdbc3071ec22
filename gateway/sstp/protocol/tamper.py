"""How a hostile client deviates from an honest one; for tests of a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["nonce", "certificate hash", "MAC"]
Step = Literal["http", "request", "ppp", "authentication", "binding", "network", "echo"]


@dataclass(frozen=True)
class Tamper:
    """The deviations; by default there are none.

    `wrong`: the wrong part of the crypto binding; the MAC over a wrong nonce or certificate hash is
    right. `replayed`: a Call Connected recorded in another call, sent instead. `repeated`: Call
    Connected is sent twice. `early`: an IP packet sent as soon as PPP starts, long before the
    binding. `silent_at`: from this step on, nothing is sent.
    """

    wrong: Part | None = None
    replayed: bytes | None = None
    repeated: bool = False
    early: bytes | None = None
    silent_at: Step | None = None


HONEST = Tamper()


def flipped(data: bytes) -> bytes:
    """The data with its first bit inverted."""
    return bytes([data[0] ^ 0x80]) + data[1:]
