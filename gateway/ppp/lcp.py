"""The Link Control Protocol (RFC 1661 sections 5 and 6; 1570 for Identification)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import ClassVar

from gateway.ppp import frames
from gateway.ppp.automaton import Event, State
from gateway.ppp.config import Method
from gateway.ppp.frames import Packet
from gateway.ppp.machine import Code
from gateway.ppp.negotiation import Judgement, Negotiation
from gateway.ppp.options import Option
from gateway.ppp.wire import Wire

LEAST_MRU = 576
"""Every IPv4 host must accept packets of this size (RFC 791 3.1)."""

PROTOCOLS: dict[Method, bytes] = {
    "EAP": bytes.fromhex("c227"),
    "MS-CHAPv2": bytes.fromhex("c22381"),
    "PAP": bytes.fromhex("c023"),
}
"""The value of the authentication option (RFC 1661 6.2; 2759 section 3)."""
_METHODS = {value: method for method, value in PROTOCOLS.items()}

LOOPS = 5
"""Number of our own requests received from which on a failure is reported as a loop."""


class Kind(IntEnum):
    """Supported options; all others (callback, multilink) are rejected."""

    MRU = 1
    ACCM = 2
    AUTHENTICATION = 3
    MAGIC = 5
    PFC = 7
    ACFC = 8


class _Code(IntEnum):
    PROTOCOL_REJECT = 8
    ECHO_REQUEST = 9
    DISCARD_REQUEST = 11
    IDENTIFICATION = 12
    TIME_REMAINING = 13


_IGNORED = frozenset(
    (Code.ECHO_REPLY, _Code.DISCARD_REQUEST, _Code.IDENTIFICATION, _Code.TIME_REMAINING)
)


class Lcp(Negotiation):
    """`demands`: methods required of the peer (server). `offers`: methods we accept (client)."""

    protocol = frames.LCP

    def __init__(
        self,
        wire: Wire,
        *,
        mru: int,
        demands: tuple[Method, ...] = (),
        offers: tuple[Method, ...] = (),
    ) -> None:
        super().__init__(wire)
        self.peer_mru = frames.DEFAULT_MRU
        self.peer_pfc = self.peer_acfc = False
        self.method: Method | None = None
        """The agreed method: to authenticate us (client) or the peer (server)."""
        self.no_method = ""
        """Why the peer will not authenticate; empty: it will."""
        self.rejected_protocols: list[int] = []
        """Protocols rejected by the peer; the link empties this list."""
        self._mru = mru
        self._demands = list(demands)
        self._offers = offers
        self._refused: set[int] = set()
        self._magic = self._new_magic()
        self._loops = 0

    def reject_protocol(self, protocol: int, payload: bytes) -> None:
        """Send Protocol-Reject (RFC 1661 5.7)."""
        self._identifier = self._identifier + 1 & 0xFF
        rest = payload[: min(self.peer_mru, frames.DEFAULT_MRU) - 6]
        self._send(_Code.PROTOCOL_REJECT, self._identifier, protocol.to_bytes(2, "big") + rest)

    def _new_magic(self) -> bytes:
        magic = self._wire.entropy(4)
        return magic if any(magic) else b"\0\0\0\1"

    def _ours(self, magic: bytes) -> bool:
        return magic == self._magic and any(magic)

    def _wants(self) -> tuple[Option, ...]:
        wanted = [Option(Kind.MRU, self._mru.to_bytes(2, "big"))]
        if self._demands:
            self.method = self._demands[0]
            wanted.append(Option(Kind.AUTHENTICATION, PROTOCOLS[self.method]))
        wanted += (Option(Kind.MAGIC, self._magic), Option(Kind.PFC, b""), Option(Kind.ACFC, b""))
        return tuple(option for option in wanted if option.kind not in self._refused)

    def _is_loop(self, options: tuple[Option, ...]) -> bool:
        """Whether this is our own request: ignored, not Nak'd (RFC 1661 6.4), because sstpc's tty
        echoes until pppd has started."""
        if not any(kind == Kind.MAGIC and self._ours(value) for kind, value in options):
            return False
        self._loops += 1
        return True

    def _judge(
        self,
        options: tuple[Option, ...],
        *,
        insist: bool,  # noqa: ARG002 - LCP never asks for missing options
    ) -> Judgement:
        rejected, naked = [], []
        for option in options:
            judge = self._JUDGES.get(option.kind)
            wish = judge(self, option) if judge else None
            if wish is None:
                rejected.append(option)
            elif wish != option:
                naked.append(wish)
        return Judgement(tuple(rejected), tuple(naked))

    def _judge_mru(self, option: Option) -> Option | None:
        mru = int.from_bytes(option.value, "big") if len(option.value) == 2 else self._mru
        wish = min(max(mru, LEAST_MRU), frames.DEFAULT_MRU)
        return Option(Kind.MRU, wish.to_bytes(2, "big"))

    def _judge_accm(self, option: Option) -> Option | None:
        """Accept any map: SSTP does not escape."""
        return option if len(option.value) == 4 else Option(Kind.ACCM, bytes(4))

    def _judge_authentication(self, option: Option) -> Option | None:
        if not self._offers:
            return None
        if _METHODS.get(option.value) in self._offers:
            return option
        return Option(Kind.AUTHENTICATION, PROTOCOLS[self._offers[0]])

    def _judge_magic(self, option: Option) -> Option | None:
        good = len(option.value) == 4 and any(option.value)
        return option if good else Option(Kind.MAGIC, self._new_magic())

    def _judge_flag(self, option: Option) -> Option | None:
        return Option(option.kind, b"")

    def _agreed(self, options: tuple[Option, ...]) -> None:
        asked = dict(options)
        self.peer_mru = int.from_bytes(asked.get(Kind.MRU, b"\x05\xdc"), "big")
        self.peer_pfc = Kind.PFC in asked
        self.peer_acfc = Kind.ACFC in asked
        if self._offers:
            self.method = _METHODS.get(asked.get(Kind.AUTHENTICATION, b""))

    def _naked(self, options: tuple[Option, ...]) -> None:
        for kind, value in options:
            if kind == Kind.AUTHENTICATION:
                self._other_method(_METHODS.get(value))
            elif kind == Kind.MAGIC:
                self._magic = self._new_magic()
            elif kind == Kind.MRU and len(value) == 2:
                mru = int.from_bytes(value, "big")
                self._mru = min(max(mru, LEAST_MRU), frames.DEFAULT_MRU)

    def _other_method(self, wish: Method | None) -> None:
        """Drop the first of our demands, which the peer has refused."""
        if not self._demands:
            return
        refused = self._demands.pop(0)
        if wish in self._demands:
            self._demands.remove(wish)
            self._demands.insert(0, wish)
        if not self._demands:
            self.no_method = f"the peer accepts none of the allowed methods, last {refused}"
            self.gave_up = self.no_method

    def _rejected(self, options: tuple[Option, ...]) -> None:
        kinds = {option.kind for option in options}
        if Kind.AUTHENTICATION in kinds:
            self.gave_up = self.no_method = "the peer refuses to authenticate"
        self._refused |= kinds
        if Kind.MAGIC in kinds:
            self._magic = bytes(4)

    def _other(self, packet: Packet, now: float) -> bool:
        if packet.code == _Code.ECHO_REQUEST:
            if len(packet.data) >= 4 and not self._ours(packet.data[:4]):
                self._packet = packet
                self._event(Event.ECHO, now)
        elif packet.code == _Code.PROTOCOL_REJECT:
            if self.state is State.OPENED and len(packet.data) >= 2:
                self.rejected_protocols.append(int.from_bytes(packet.data[:2], "big"))
        else:
            return packet.code in _IGNORED
        return True

    def _unanswered(self) -> None:
        if self._loops < LOOPS:
            super()._unanswered()
        else:
            self.gave_up = "the line only echoes our own requests"

    _JUDGES: ClassVar[dict[int, Callable[[Lcp, Option], Option | None]]] = {
        Kind.MRU: _judge_mru,
        Kind.ACCM: _judge_accm,
        Kind.AUTHENTICATION: _judge_authentication,
        Kind.MAGIC: _judge_magic,
        Kind.PFC: _judge_flag,
        Kind.ACFC: _judge_flag,
    }
