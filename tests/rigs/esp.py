"""ESP in UDP (RFC 4303, RFC 3948, RFC 4106) for tests.rigs.ike_attacker: any bytes at all as the
inner packet, past every policy of a client's own."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.rigs.ike_wire import Child

IPV4, IPV6 = 4, 41
"""Next headers."""


class Esp:
    """One CHILD_SA, as the initiator has it."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._number = 0
        self._seals, self._opens = AESGCM(child.own[:32]), AESGCM(child.theirs[:32])

    def seal(self, packet: bytes, following: int = IPV4) -> bytes:
        """A datagram for port 4500."""
        self._number += 1
        head = self._child.outbound + self._number.to_bytes(4, "big")
        vector = self._number.to_bytes(8, "big")
        padding = bytes(range(1, 1 + -(len(packet) + 2) % 4))
        plain = packet + padding + bytes((len(padding), following))
        return head + vector + self._seals.encrypt(self._child.own[32:] + vector, plain, head)

    def open(self, datagram: bytes) -> bytes | None:
        """The inner packet; None for what is not of this SA."""
        if datagram[:4] != self._child.inbound:
            return None
        head, vector, rest = datagram[:8], datagram[8:16], datagram[16:]
        try:
            plain = self._opens.decrypt(self._child.theirs[32:] + vector, rest, head)
        except InvalidTag:
            return None
        return plain[: -2 - plain[-2]]
