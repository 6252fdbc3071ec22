"""One end of a PPP link: LCP, then authentication, then IPCP (RFC 1661 section 3)."""

from __future__ import annotations

from ipaddress import IPv4Address

from gateway.common.phases import Symbol
from gateway.common.vocabulary import Reason
from gateway.ppp import frames
from gateway.ppp.authentication import Authentication, Failed, Passed
from gateway.ppp.automaton import State
from gateway.ppp.config import ClientConfig, ServerConfig
from gateway.ppp.events import (
    Authenticated,
    AuthenticationFailed,
    LinkDown,
    LinkEvent,
    NetworkUp,
    Verdict,
)
from gateway.ppp.ipcp import ClientIpcp, ServerIpcp
from gateway.ppp.lcp import Lcp
from gateway.ppp.machine import Happening, Machine
from gateway.ppp.roles import make_authentication, make_ipcp
from gateway.ppp.wire import Entropy, Wire


class Phase(Symbol):
    """RFC 1661 3.2."""

    DEAD = "dead"
    ESTABLISH = "establish"
    AUTHENTICATE = "authenticate"
    NETWORK = "network"
    TERMINATE = "terminate"
    DOWN = "down"
    """Dead again; final."""


class PppLink:
    """A server or client, depending on its configuration; frames in and out, no clock.

    While a verdict is pending, a new LCP negotiation ends the link: a late verdict must never be
    applied to a different attempt.
    """

    def __init__(
        self,
        config: ServerConfig | ClientConfig,
        *,
        now: float,  # noqa: ARG002 - nothing is timed before open
        entropy: Entropy,
    ) -> None:
        self._config = config
        self._wire = Wire(entropy)
        server = isinstance(config, ServerConfig)
        demands, offers = (config.methods, ()) if server else ((), config.methods)
        self._lcp = Lcp(self._wire, mru=config.mru, demands=demands, offers=offers)
        self._authentication: Authentication | None = None
        self._ipcp: ServerIpcp | ClientIpcp | None = None
        self._announced = False
        self._why = ""
        self._reason: Reason | None = None
        self.phase = Phase.DEAD

    @property
    def network_open(self) -> bool:
        """Whether IPCP has opened, and IP packets may flow."""
        return (
            self.phase is Phase.NETWORK
            and self._ipcp is not None
            and self._ipcp.state is State.OPENED
        )

    @property
    def peer_mru(self) -> int:
        """The largest IP packet that the peer accepts."""
        return self._lcp.peer_mru

    @property
    def ip_header(self) -> bytes:
        """The PPP header of IP packets to the peer."""
        start = b"" if self._lcp.peer_acfc else frames.ADDRESS_CONTROL
        return start + (b"\x21" if self._lcp.peer_pfc else b"\0\x21")

    @property
    def address(self) -> IPv4Address | None:
        """The client's address; None: not assigned yet."""
        return self._ipcp.address if self._ipcp else None

    @property
    def dns(self) -> tuple[IPv4Address, ...]:
        """The name servers assigned to a client; empty at the server's end."""
        return self._ipcp.dns if isinstance(self._ipcp, ClientIpcp) else ()

    def open(self, now: float) -> None:
        """Begin LCP: the lower layer is up."""
        if self.phase is Phase.DEAD:
            self.phase = Phase.ESTABLISH
            self._lcp.open(now)

    def receive(self, frame: bytes, now: float) -> None:
        """Handle one frame from the peer, which may contain anything."""
        if self.phase in (Phase.DEAD, Phase.DOWN) or len(frame) > frames.LONGEST_FRAME:
            return
        found = frames.split(bytes(frame))
        if found is None:
            return
        protocol, payload = found
        if protocol == frames.LCP:
            self._lcp.receive(payload, now)
        elif self._lcp.state is State.OPENED:
            self._upper(protocol, payload, now)
        self._settle(now)

    def tick(self, now: float) -> None:
        """Run the timers that are due."""
        for layer in (self._lcp, self._authentication, self._ipcp):
            if layer:
                layer.tick(now)
        self._settle(now)

    def deadline(self) -> float | None:
        """When `tick` must be called next; None: no timer is running."""
        layers = (self._lcp, self._authentication, self._ipcp)
        times = [layer.deadline for layer in layers if layer and layer.deadline is not None]
        return min(times) if times else None

    def outgoing(self) -> list[bytes]:
        """Take the frames to be sent, in order."""
        sent, self._wire.outgoing = self._wire.outgoing, []
        return sent

    def events(self) -> list[LinkEvent]:
        """Take the events, in order."""
        events, self._wire.events = self._wire.events, []
        return events

    def answer(self, verdict: Verdict, now: float) -> None:
        """Handle the verdict on the pending attempt; ignored if there is none."""
        if self._wire.asked and self._authentication:
            self._wire.asked = False
            self._authentication.answer(verdict, now)
            self._settle(now)

    def terminate(self, why: str, now: float, reason: Reason | None = None) -> None:
        """Terminate the link; LinkDown follows the peer's answer, or two unanswered requests."""
        if self.phase in (Phase.TERMINATE, Phase.DOWN):
            return
        self._why, self._reason = why, reason
        if self.phase is Phase.DEAD:
            self._end()
            return
        self.phase = Phase.TERMINATE
        self._drop_upper()
        self._lcp.close(now)
        self._settle(now)

    def _drop_upper(self) -> None:
        self._authentication = None
        self._wire.asked = False
        self._ipcp = None

    def _end(self) -> None:
        self.phase = Phase.DOWN
        self._drop_upper()
        self._lcp.deadline = None
        self._wire.emit(LinkDown(self._why, self._reason))

    def _upper(self, protocol: int, payload: bytes, now: float) -> None:
        """Handle an upper protocol while LCP is open; packets that do not belong to the phase are
        discarded (RFC 1661 3.4, 3.5)."""
        authentication = self._authentication
        if authentication and protocol == authentication.protocol:
            authentication.receive(payload, now)
        elif protocol == frames.IPCP:
            if authentication:
                authentication.network_begins()
                self._settle(now)
            if self._ipcp:
                self._ipcp.receive(payload, now)
        elif self.phase is Phase.NETWORK and protocol != frames.IP:
            self._lcp.reject_protocol(protocol, payload)

    def _settle(self, now: float) -> None:
        """Act on the layers' results, from the lowest up."""
        self._settle_rejections(now)
        self._settle_lcp(now)
        if self.phase is Phase.AUTHENTICATE and self._authentication:
            self._settle_authentication(self._authentication.outcome, now)
        if self.phase is Phase.NETWORK and self._ipcp:
            self._settle_ipcp(self._ipcp, now)

    def _settle_lcp(self, now: float) -> None:
        happenings = self._lcp.take()
        if self.phase is Phase.DOWN:
            return
        if "terminated" in happenings:
            self._why = self._why or "the peer ended the link"
            self._end()
        elif "finished" in happenings:
            if not self._why:
                self._why, self._reason = f"LCP: {self._lcp.gave_up}", _reason(self._lcp)
            self._end()
        elif self._lcp.no_method and self.phase is Phase.ESTABLISH:
            self._fail("refused", self._lcp.no_method, now)
        elif self._lcp.gave_up:
            self.terminate(f"LCP: {self._lcp.gave_up}", now, _reason(self._lcp))
        else:
            for happening in happenings:
                self._lcp_happened(happening, now)

    def _lcp_happened(self, happening: Happening, now: float) -> None:
        if happening == "up" and self.phase is Phase.ESTABLISH:
            self._authenticate(now)
        elif happening == "down" and self.phase is Phase.AUTHENTICATE and not self._wire.asked:
            self.phase = Phase.ESTABLISH
            self._drop_upper()
        elif happening == "down":
            self.terminate("the peer restarted LCP", now)

    def _settle_rejections(self, now: float) -> None:
        rejected, self._lcp.rejected_protocols = self._lcp.rejected_protocols, []
        for protocol in rejected:
            needed = self._authentication.protocol if self._authentication else None
            if protocol == frames.LCP:
                self._lcp.reject(now)
            elif protocol == needed and self.phase is Phase.AUTHENTICATE:
                self._fail("refused", f"the peer rejects {self._lcp.method}", now)
            elif protocol == frames.IPCP and self.phase is Phase.NETWORK:
                self.terminate("the peer rejects IPCP", now)

    def _authenticate(self, now: float) -> None:
        if self._lcp.method is None:
            self._fail("refused", "the server requires no authentication", now)
            return
        self.phase = Phase.AUTHENTICATE
        self._authentication = make_authentication(
            self._config, self._wire, self._lcp.method, self._lcp.peer_mru
        )
        self._authentication.start(now)

    def _settle_authentication(self, outcome: Passed | Failed | None, now: float) -> None:
        if isinstance(outcome, Failed):
            self._fail(outcome.reason, outcome.message, now)
        elif outcome:
            self._wire.emit(Authenticated(outcome.user, outcome.method, outcome.keys))
            self.phase = Phase.NETWORK
            self._ipcp = make_ipcp(self._config, self._wire, outcome.address)
            self._ipcp.open(now)

    def _settle_ipcp(self, ipcp: ServerIpcp | ClientIpcp, now: float) -> None:
        happenings = ipcp.take()
        if ipcp.gave_up:
            self.terminate(f"IPCP: {ipcp.gave_up}", now, _reason(ipcp))
        elif "terminated" in happenings or "finished" in happenings:
            self.terminate("the peer ended IPCP", now)
        elif "up" in happenings and not self._announced:
            self._network_up(ipcp.address, now)

    def _network_up(self, address: IPv4Address | None, now: float) -> None:
        if address is None:
            self.terminate("IPCP: the server assigns no address", now)
            return
        self._announced = True
        self._wire.emit(NetworkUp(address, self.peer_mru))

    def _fail(self, reason: Reason, message: str, now: float) -> None:
        self._wire.emit(AuthenticationFailed(reason, message))
        self.terminate(f"authentication failed: {message}", now)


def _reason(layer: Machine) -> Reason | None:
    return "timeout" if layer.timed_out else None
