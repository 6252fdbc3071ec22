"""The IP Control Protocol (RFC 1332), with name servers (RFC 1877)."""

from __future__ import annotations

from enum import IntEnum
from ipaddress import IPv4Address

from gateway.ppp import frames
from gateway.ppp.negotiation import Judgement, Negotiation
from gateway.ppp.options import Option
from gateway.ppp.wire import Wire


class Kind(IntEnum):
    """Supported options; all others (Van Jacobson compression) are rejected."""

    ADDRESS = 3
    DNS_1 = 129
    WINS_1 = 130
    DNS_2 = 131
    WINS_2 = 132


class ServerIpcp(Negotiation):
    """Assigns the peer's address and name servers."""

    protocol = frames.IPCP

    def __init__(
        self,
        wire: Wire,
        *,
        local: IPv4Address,
        peer: IPv4Address,
        dns: tuple[IPv4Address, ...],
        wins: tuple[IPv4Address, ...],
    ) -> None:
        super().__init__(wire)
        self.address: IPv4Address | None = peer
        self._own: tuple[Option, ...] = (Option(Kind.ADDRESS, local.packed),)
        kinds = (Kind.DNS_1, Kind.DNS_2), (Kind.WINS_1, Kind.WINS_2)
        self._gives = {Kind.ADDRESS: peer.packed}
        for pair, servers in zip(kinds, (dns, wins), strict=True):
            self._gives |= {k: s.packed for k, s in zip(pair, servers, strict=False)}

    def _wants(self) -> tuple[Option, ...]:
        return self._own

    def _judge(self, options: tuple[Option, ...], *, insist: bool) -> Judgement:
        rejected, naked = [], []
        for option in options:
            value = self._gives.get(option.kind)  # type: ignore[call-overload]
            if value is None:
                rejected.append(option)
            elif value != option.value:
                naked.append(Option(option.kind, value))
        if not any(option.kind == Kind.ADDRESS for option in options):
            naked.append(Option(Kind.ADDRESS, self._gives[Kind.ADDRESS]))
        if not insist and any(option.kind == Kind.ADDRESS for option in naked):
            self.gave_up = "the peer does not accept its assigned address"
        return Judgement(tuple(rejected), tuple(naked))

    def _agreed(self, options: tuple[Option, ...]) -> None:
        """Do nothing: the peer has accepted what was assigned."""

    def _naked(self, options: tuple[Option, ...]) -> None:
        """Keep our address, which the peer cannot choose, and request it again, within limits."""

    def _rejected(self, options: tuple[Option, ...]) -> None:
        self._own = tuple(option for option in self._own if option not in options)


class ClientIpcp(Negotiation):
    """Requests an address and name servers."""

    protocol = frames.IPCP

    def __init__(self, wire: Wire, *, ask_dns: bool, ask_wins: bool) -> None:
        super().__init__(wire)
        kinds = [Kind.ADDRESS]
        kinds += [Kind.DNS_1, Kind.DNS_2] if ask_dns else []
        kinds += [Kind.WINS_1, Kind.WINS_2] if ask_wins else []
        self._asks: dict[int, bytes] = dict.fromkeys(kinds, bytes(4))

    @property
    def address(self) -> IPv4Address | None:
        """Our assigned address; None: not yet."""
        return self._given(Kind.ADDRESS)

    @property
    def dns(self) -> tuple[IPv4Address, ...]:
        """Our assigned name servers."""
        given = (self._given(kind) for kind in (Kind.DNS_1, Kind.DNS_2))
        return tuple(address for address in given if address)

    def _given(self, kind: Kind) -> IPv4Address | None:
        value = self._asks.get(kind, b"")
        return IPv4Address(value) if any(value) else None

    def _wants(self) -> tuple[Option, ...]:
        return tuple(Option(kind, value) for kind, value in self._asks.items())

    def _judge(
        self,
        options: tuple[Option, ...],
        *,
        insist: bool,  # noqa: ARG002 - the server chooses its own address
    ) -> Judgement:
        rejected = (o for o in options if o.kind != Kind.ADDRESS or len(o.value) != 4)
        return Judgement(rejected=tuple(rejected))

    def _agreed(self, options: tuple[Option, ...]) -> None:
        """Ignore the server's address: the link has only one other end."""

    def _naked(self, options: tuple[Option, ...]) -> None:
        for kind, value in options:
            if kind in self._asks and len(value) == 4:
                self._asks[kind] = value

    def _rejected(self, options: tuple[Option, ...]) -> None:
        for option in options:
            self._asks.pop(option.kind, None)
        if Kind.ADDRESS not in self._asks:
            self.gave_up = "the server assigns no address"
