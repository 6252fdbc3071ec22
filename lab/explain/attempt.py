"""What is seen of one protocol's dial that failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.explain.blame import walk
from lab.explain.model import stamp, told
from lab.explain.reasons import Meaning, meaning_of

if TYPE_CHECKING:
    from lab.explain.access import Line, Portal
    from lab.explain.choice import Choice
    from lab.explain.clock import Clocks
    from lab.explain.engines import EngineSeen
    from lab.explain.follow import Followed
    from lab.explain.held import Held
    from lab.explain.inspection import Shown
    from lab.explain.methods import MethodsSeen
    from lab.explain.model import Finding
    from lab.explain.proxy import ProxySeen
    from lab.explain.radius_server import ServerSeen
    from lab.explain.server_certificate import Difference
    from lab.merge import Change
    from lab.pki.authority import Credential
    from lab.world import Deed
    from radius.reasons import Refusal

_ADMITTING = ("update", "revoke", "fault")
"""Words of `expect:` that change who comes in."""


@dataclass(frozen=True)
class Attempt:
    """One protocol's failed dial, and what was looked at because of it."""

    protocol: str
    reason: str
    message: str
    """The client program's own."""
    dialled: bool
    """False: the computer had no means to."""
    at: float
    thumbprint: str = ""
    """Of the user's certificate, if the user has one."""
    credential: Credential | None = None
    """The certificate that it showed, with its chain."""
    name: str = ""
    """The gateway's name in the profile."""
    resolved: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    route: str = ""
    """The client's route to the gateway, as its kernel has it."""
    followed: tuple[Followed, ...] = ()
    record: Mapping[str, Any] | None = None
    """The gateway's record of the refusal."""
    told: Refusal | None = None
    """The RADIUS server's word."""
    listens: Mapping[str, bool] = field(default_factory=dict)
    """The gateway's ports that the protocol needs, and whether a program has them."""
    engine: EngineSeen | None = None
    """The gateway's daemon for the protocol, if it does not run."""
    proxy: ProxySeen | None = None
    """The proxy, where that refused."""
    flaws: tuple[Difference, ...] = ()
    """What is wrong with the gateway's certificate for this client."""
    certificate: str = ""
    """That which the computer shows, in words."""
    choice: Choice | None = None
    """The certificate that the computer showed and one that it has, which the gateway takes."""
    hello: str = ""
    """The newest TLS version in the client's ClientHello, and what the gateway takes."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """The gateway's."""
    servers: tuple[ServerSeen, ...] = ()
    sessions: tuple[str, ...] = ()
    """The protocols of the gateway's sessions, if their number is why."""
    taken: tuple[str, ...] = ()
    """Addresses of the pool that sessions have, with their users."""
    deeds: tuple[Deed, ...] = ()
    black_hole: Finding | None = None
    """Where large packets are lost without a trace."""
    system: str = ""
    """The computer's operating system."""
    able: tuple[str, ...] = ()
    """The protocols that it dials as it is now."""
    lacks: tuple[str, ...] = ()
    """Updates and registry values that it lacks; empty: it would not dial this one with them."""
    forbidden: Mapping[str, str] = field(default_factory=dict)
    """Protocols that the gateway may not offer beside its own, and why."""
    held: Held | None = None
    """The profile with which it dialled; None: it had none, or the gateway has none now."""
    public: tuple[str, ...] = ()
    """The Internet's addresses of the gateway's name, where the client asked for it itself."""
    gateway: str = ""
    """The gateway's public address, where `name` is the gateway's own."""
    line: Line | None = None
    """The access network's link to the Internet, if it carries nothing."""
    shown: Shown | None = None
    """Another certificate than the gateway's, shown to the client in its place."""
    clocks: Clocks | None = None
    """The client's clock and the gateway's, if they differ."""
    methods: MethodsSeen | None = None
    """What client and RADIUS servers are set up for, if that is why."""
    portal: Portal | None = None
    """A captive portal at which its user has not signed in."""

    @property
    def verdict(self) -> str:
        """The reason of whoever decided."""
        if self.told:
            return self.told.reason
        return str(self.record["reason"]) if self.record else self.reason

    @property
    def meaning(self) -> Meaning:
        """Of the verdict."""
        return meaning_of(self.verdict)

    @property
    def undecided(self) -> bool:
        """Whether the client gave up a dial that neither gateway nor RADIUS server has judged."""
        judged = self.record or self.told
        return self.dialled and self.reason == "refused" and not judged

    @property
    def moment(self) -> str:
        """When it was decided; else when the dial began."""
        return str(self.record["time"]) if self.record else stamp(self.at)

    @property
    def client_said(self) -> str:
        """The client program's words."""
        return f"the client: {self.message}"

    @property
    def said(self) -> tuple[str, ...]:
        """The words of all who took part, the one who decided first."""
        record, server = self.record, self.told
        return (
            *((f"the RADIUS server's log: {server.message}",) if server else ()),
            *((f"the gateway's log at {record['time']}: {record['message']}",) if record else ()),
            self.client_said,
        )

    @property
    def why(self) -> str:
        """The gateway's words, else the client's."""
        return str(self.record["message"]) if self.record else self.message

    @property
    def recent(self) -> tuple[str, ...]:
        """What was done in the lab shortly before that changes who comes in."""
        before = [deed for deed in self.deeds if deed.at <= self.at]
        ended = {deed.subject: deed.at for deed in before if deed.verb == "endFault"}
        last = (deed for deed in self.deeds[-3:] if deed.verb in _ADMITTING)
        return tuple(told(deed) for deed in last if deed.at >= ended.get(deed.subject, 0.0))

    def changed(self, deed: Deed, key: str) -> Change | None:
        """What was done to a field of the gateway's vpnClientConfiguration."""
        gateway = str(self.document.get("name", ""))
        return deed.change(gateway, f"vpnClientConfiguration.{key}")

    def changes(self, key: str) -> list[Deed]:
        """What changed that field, the last one last."""
        return [deed for deed in self.deeds if self.changed(deed, key)]

    @property
    def walks(self) -> tuple[str, ...]:
        """The ways of the probes."""
        return tuple(map(walk, self.followed))

    @property
    def silent_ports(self) -> str:
        """The gateway's ports on which nothing listens."""
        return ", ".join(port for port, listens in self.listens.items() if not listens)
