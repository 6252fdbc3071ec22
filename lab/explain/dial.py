"""The chain of a dial that failed, from what was observed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lab.explain import access, clock, held, inspection, proxy, remedies, server_certificate
from lab.explain.blame import all_blocked, blocked, rule_of
from lab.explain.choice import Choice, untrusted
from lab.explain.engines import EngineSeen
from lab.explain.follow import Followed
from lab.explain.held import Held
from lab.explain.limit import limited
from lab.explain.model import DIAL, Chain, Finding, Layer, chain_of, depth, failure, stamp
from lab.explain.server_certificate import Difference
from lab.world import Deed
from radius.reasons import Refusal


@dataclass(frozen=True)
class ServerSeen:
    """A RADIUS server that the gateway asks, when nobody got an answer."""

    address: str
    node: str
    listens: bool
    """Whether a program has its UDP port."""
    followed: Followed | None
    """A datagram from the gateway to its port."""
    dropped: tuple[str, ...] = ()
    """Lines of its log about requests of this dial that it dropped."""
    unknown: tuple[str, ...] = ()
    """Lines of its log about requests from a client that it does not know."""
    clients: tuple[str, ...] = ()
    """The prefixes of the clients that it knows, if it does not know the gateway."""
    source: str = ""
    """The address with which the gateway asks it."""
    astray: Finding | None = None
    """Why requests do not come to it through a tunnel that stands, or its answers not back."""
    path: str = ""
    """The connection that leads to it, with its status; empty: it is in the VNet."""
    tunnel: Finding | None = None
    """What is wrong with that tunnel."""
    asks: tuple[str, ...] = ()
    """Users whose answer to the second factor is waited for."""

    @property
    def well(self) -> bool:
        """Whether a request of the gateway's would get there, and be answered for all that is
        seen."""
        arrived = self.followed is None or self.followed.arrived
        wrong = self.dropped or self.unknown or self.tunnel or self.astray or self.asks
        return self.listens and arrived and not wrong


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
    proxy: proxy.ProxySeen | None = None
    """The proxy, where that refused."""
    flaws: tuple[Difference, ...] = ()
    """What is wrong with the gateway's certificate for this client."""
    root: str = ""
    """Of the certificate that the computer shows: the root's name."""
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
    line: access.Line | None = None
    """The access network's link to the Internet, if it carries nothing."""
    shown: inspection.Shown | None = None
    """Another certificate than the gateway's, shown to the client in its place."""
    clocks: clock.Clocks | None = None
    """The client's clock and the gateway's, if they differ."""
    portal: access.Portal | None = None
    """A captive portal at which its user has not signed in."""


_ADMINISTRATOR = (
    "For Windows clients, you must have administrator rights on the client device in order to "
    "initiate the VPN connection from the client device to Azure."
)
"""Of azure-docs about-point-to-site-vpn."""
LAYER_OF: dict[str, Layer] = {
    "no-answer": "firewall",
    "proxy": "proxy",
    "system": "client-policy",
    "administrator": "client-policy",
    "no-protocol": "profile-stale",
    "tls": "tls",
    "protocol": "tls",
    "binding": "tls",
    "timeout": "firewall",
    "no-proposal": "ike-proposal",
    "untrusted": "certificate",
    "server-untrusted": "certificate",
    "expired": "certificate",
    "not-yet-valid": "certificate",
    "no-client-auth": "certificate",
    "no-certificate": "certificate",
    "certificate": "certificate",
    "revoked": "revocation",
    "certificate-revoked": "revocation",
    "radius-no-answer": "radius-path",
    "radius-unsigned": "radius-secret",
    "second-factor-denied": "factor",
    "second-factor-late": "factor",
    "typed-code": "factor",
    "limit": "limit",
    "no-address": "pool",
    "fault": "gateway-down",
}
"""Other reasons are the RADIUS server's verdict on an account."""

WORDS: dict[str, tuple[str, str]] = {
    "untrusted": (
        "the certificate's root is not among those that are uploaded to the gateway",
        "upload the root as a row of vpnClientRootCertificates, or show another certificate",
    ),
    "server-untrusted": (
        "the client does not trust the gateway's server certificate",
        "take a new profile: it has the root of the gateway's certificate",
    ),
    "expired": ("the client certificate has expired", "issue a new one"),
    "not-yet-valid": (
        "the client certificate is not valid yet by the gateway's clock",
        "compare the clocks, or wait until it is valid",
    ),
    "no-client-auth": (
        "the client certificate has no clientAuth in its extended key usage",
        "issue one with clientAuth (1.3.6.1.5.5.7.3.2)",
    ),
    "no-certificate": ("the client has no certificate to show", "install one with its key"),
    "certificate": (
        "the RADIUS server does not accept the certificate",
        "let the server trust its authority, or show a certificate that the server takes",
    ),
    "certificate-revoked": (
        "the certificate is revoked by its authority's list, which the RADIUS server reads",
        "issue a new certificate",
    ),
    "timeout": (
        "the gateway waited for the client's next message in vain",
        "see what drops packets between them",
    ),
    "no-proposal": (
        "client and gateway have no common IKE or ESP proposal",
        "make the client's proposals or the gateway's vpnClientIpsecPolicies fit",
    ),
    "no-address": (
        "the protocol's part of the client address pool is used up",
        "enlarge vpnClientAddressPool, or end sessions",
    ),
    "second-factor-denied": ("the user denied the second factor", "approve it"),
    "second-factor-late": (
        "the second factor was not approved within 30 s, as long as gateways wait",
        "approve on the telephone in time",
    ),
    "typed-code": (
        "the second factor asks for a typed code, which VPN clients cannot show",
        "use a push in its place",
    ),
    "disabled": ("the account is disabled", "enable the account"),
    "locked-out": ("the account is locked out after wrong passwords", "unlock the account"),
    "must-change-password": ("the password must be changed first", "change it elsewhere"),
    "account-expired": ("the account has expired", "extend the account"),
    "outside-hours": ("the account's logon hours exclude this moment", "see its logon hours"),
    "not-in-group": ("the user is not in the group that the server requires", "add the user to it"),
    "unknown-user": ("the server does not know the user", "create the account, or see the name"),
    "password": ("the password is wrong", "type the right one"),
    "no-method": (
        "the server does not accept the client's authentication method",
        "enable the method at the server",
    ),
    "no-directory": (
        "the RADIUS server cannot reach its domain controller",
        "start the domain controller, or see the way to it",
    ),
    "radius-unsigned": (
        (
            "the RADIUS server's answers have no Message-Authenticator, and the gateway makes no "
            "exception for it: it takes none of them (CVE-2024-3596)"
        ),
        "let the server sign all answers, or make an exception for it at the gateway",
    ),
    "no-keys": ("the server accepted without keys for the tunnel", "let it send MS-MPPE keys"),
}
"""Cause and remedy of a reason."""


def judge(attempt: Attempt) -> Chain:
    """The layers of the attempt."""
    found = _of_the_profile(attempt) or _of_the_network(attempt) or _failed(attempt)
    failed = _besides(found, attempt)
    if attempt.choice and failed.layer in ("certificate", "revocation"):
        failed = attempt.choice.added(failed)
    passed, beyond = _passed(attempt, failed), attempt.record is not None
    return chain_of(attempt.protocol, DIAL, passed, failed, stamp(), beyond=beyond)


def _besides(failed: Finding, attempt: Attempt) -> Finding:
    """With the causes further down that are seen already, for who mends the first meets them."""
    more = [
        one for one in _further(attempt) if depth(one) > depth(failed) and one.layer != failed.layer
    ]
    if not more:
        return failed
    causes = dict.fromkeys(one.cause for one in more)
    proof = (*failed.proof, *(line for one in more for line in one.proof))
    return replace(failed, cause="; and besides, ".join([failed.cause, *causes]), proof=proof)


def _further(attempt: Attempt) -> Iterator[Finding]:
    """What is wrong whether or not the dial came there."""
    blocked_ways = [
        way for way in attempt.followed if way.dropped and not way.what.startswith(_DNS)
    ]
    if blocked_ways:
        yield blocked(blocked_ways[0])
    if silent := _silent_ports(attempt):
        seen = f"/proc/net of the gateway's node: nothing on {silent}"
        cause = f"no program of the gateway listens on {silent}"
        yield failure("gateway-down", cause, seen, remedy="see the gateway's engines")
    entry = entry_of(attempt.thumbprint, attempt.document) if attempt.thumbprint else ""
    if entry:
        listed = f"entry {entry!r} of vpnClientRevokedCertificates"
        cause = f"the client's certificate is revoked: {listed}"
        seen = f"the gateway's document: {listed} has the thumbprint {attempt.thumbprint}"
        yield failure("revocation", cause, seen, remedy="take the entry out, if it is a mistake")
    if not any(server.well for server in attempt.servers):
        for server in attempt.servers:
            yield from (one for one in of_server(server) if one.layer != "factor")


_DNS = "udp/53 "


def _silent_ports(attempt: Attempt) -> str:
    """The gateway's ports on which nothing listens."""
    return ", ".join(port for port, listens in attempt.listens.items() if not listens)


def _of_the_profile(attempt: Attempt) -> Finding | None:
    """The client's profile is not the gateway's of now, and that is why."""
    if attempt.held is None:
        return None
    reason = reason_of(attempt)
    layer = LAYER_OF.get(reason, "radius-verdict")
    said = (*_relevant(attempt), *_ways(attempt), f"the client: {attempt.message}")
    return held.refusal(attempt.held, attempt.protocol, reason, layer, said)


def _of_the_network(attempt: Attempt) -> Finding | None:
    """The access network leads the client elsewhere; whom the gateway heard was not led away."""
    if attempt.record:
        return None
    said = attempt.message
    if attempt.line:
        return access.without_line(attempt.line, f"the client: {said}")
    found = access.other_address(
        attempt.name, attempt.resolved, attempt.public, attempt.nameservers, said
    )
    if not found and attempt.gateway:
        found = access.old_record(
            attempt.name, attempt.resolved, attempt.public, attempt.gateway, said
        )
    if not found and attempt.portal:
        return access.not_signed_in(attempt.portal, said)
    if not found and attempt.shown:
        return inspection.judge(attempt.shown, said, attempt.at)
    return found


def _failed(attempt: Attempt) -> Finding:
    reason = reason_of(attempt)
    layer = LAYER_OF.get(reason, "radius-verdict")
    if attempt.reason == "no-protocol":
        return _not_offered(attempt)
    if attempt.flaws:
        gateway = str(attempt.document.get("name", ""))
        return server_certificate.finding(gateway, attempt.flaws, *_said(attempt))
    unheard = not attempt.record or any(way.dropped for way in attempt.followed)
    if attempt.black_hole or undecided(attempt) or (layer == "firewall" and unheard):
        return attempt.black_hole or _no_answer(attempt)
    special: dict[str, Callable[[Attempt], Finding]] = {
        "client-policy": _not_able,
        "proxy": _proxy,
        "tls": _tls,
        "revocation": _revoked,
        "radius-path": _silent,
        "pool": _pool,
        "limit": _limit,
    }
    if attempt.clocks and attempt.reason in clock.REASONS:
        return clock.judge(attempt.clocks, _said(attempt), attempt.at)
    if layer in special and (layer != "proxy" or attempt.proxy):
        return special[layer](attempt)
    return _by_words(attempt, layer, reason)


def reason_of(attempt: Attempt) -> str:
    """The reason of whoever decided."""
    if attempt.told:
        return attempt.told.reason
    return str(attempt.record["reason"]) if attempt.record else attempt.reason


def undecided(attempt: Attempt) -> bool:
    """Whether the client gave up a dial that neither gateway nor RADIUS server has judged."""
    judged = attempt.record or attempt.told
    return attempt.dialled and attempt.reason == "refused" and not judged


def _by_words(attempt: Attempt, layer: Layer, reason: str) -> Finding:
    cause, remedy = WORDS.get(reason, (f"refused ({reason})", "see the proof"))
    if reason == "certificate" and attempt.told:
        cause = f"{cause}: {attempt.told.message}"
    if reason == "no-proposal" and attempt.record and attempt.record["message"]:
        cause = str(attempt.record["message"])
    if reason == "untrusted" and attempt.root:
        cause = untrusted(attempt.root, attempt.document)
    proof = (*_said(attempt), *_relevant(attempt))
    return failure(layer, cause, *proof, remedy=remedy, at=_moment(attempt))


def _said(attempt: Attempt) -> tuple[str, ...]:
    """The words of all who took part, the one who decided first."""
    record, told = attempt.record, attempt.told
    return (
        *((f"the RADIUS server's log: {told.message}",) if told else ()),
        *((f"the gateway's log at {record['time']}: {record['message']}",) if record else ()),
        f"the client: {attempt.message}",
    )


def _relevant(attempt: Attempt) -> tuple[str, ...]:
    """What was done in the lab shortly before that changes who comes in."""
    verbs = ("update", "revoke", "fault")
    before = [deed for deed in attempt.deeds if deed.at <= attempt.at]
    ended = {deed.subject: deed.at for deed in before if deed.verb == "endFault"}
    return tuple(
        f"at {stamp(deed.at)}: {deed.text}: {deed.effect}"
        for deed in attempt.deeds[-3:]
        if deed.verb in verbs and deed.at >= ended.get(deed.subject, 0.0)
    )


def _moment(attempt: Attempt) -> str:
    return str(attempt.record["time"]) if attempt.record else stamp(attempt.at)


def _configuration(attempt: Attempt) -> Mapping[str, Any]:
    properties = attempt.document.get("properties", {})
    found: Mapping[str, Any] = properties.get("vpnClientConfiguration") or {}
    return found


def _not_able(attempt: Attempt) -> Finding:
    """The computer itself does not dial; it says why."""
    said, at = f"the client: {attempt.message}", stamp(attempt.at)
    if attempt.reason == "administrator":
        cause = f"{attempt.message}: {_ADMINISTRATOR!r}"
        return failure("client-policy", cause, said, remedy="let an administrator dial", at=at)
    remedy = _of_protocols(attempt)
    return failure("client-policy", attempt.message, said, remedy=remedy, at=at)


def _of_protocols(attempt: Attempt) -> str:
    offered = _configuration(attempt).get(remedies.KEY, ())
    lacks = attempt.lacks if attempt.reason == "system" else ()
    return remedies.remedy(attempt.protocol, attempt.able, offered, lacks, attempt.forbidden)


def _not_offered(attempt: Attempt) -> Finding:
    protocol, key = attempt.protocol, remedies.KEY
    offered = ", ".join(_configuration(attempt).get(key, ())) or "nothing"
    changes = [deed for deed in attempt.deeds if deed.verb == "update" and key in deed.text]
    if not set(_configuration(attempt).get(key, ())) & set(attempt.able) and not changes:
        able = " and ".join(attempt.able) or "nothing"
        return failure(
            "client-policy",
            f"{attempt.system} dials {able}, and the gateway offers {offered}: nothing in common",
            f"the gateway's document: {key} is {offered}",
            f"the client: {attempt.message}",
            remedy=_of_protocols(attempt),
            at=stamp(attempt.at),
        )
    since = f" since it was changed at {stamp(changes[-1].at)}" if changes else ""
    return failure(
        "profile-stale" if changes else "client-policy",
        f"{protocol} is not offered by the gateway{since}: it offers {offered}",
        f"the gateway's document: {key} is {offered}",
        *(f"at {stamp(deed.at)}: {deed.text}" for deed in changes[-1:]),
        remedy=_of_protocols(attempt),
        at=stamp(attempt.at),
    )


def _no_answer(attempt: Attempt) -> Finding:
    """Nobody answered: where on the way the packets ended."""
    if attempt.name and not attempt.resolved:
        return _no_name(attempt)
    if dropped := [one for one in attempt.followed if one.dropped]:
        return all_blocked(dropped)
    for followed in attempt.followed:
        if not followed.arrived:
            return lost(followed)
    see = "see the gateway's engines (p2slab status)"
    said = f"the client: {attempt.message}"
    if silent := _silent_ports(attempt):
        cause = f"no program of the gateway listens on {silent}"
        if attempt.engine:
            cause = f"{attempt.engine.cause}: {cause}"
            proof = (*attempt.engine.proof, said, *_ways(attempt))
            return failure("gateway-down", cause, *proof, remedy=attempt.engine.remedy)
        return failure("gateway-down", cause, said, *_ways(attempt), remedy=see)
    cause = "the gateway was reached and did not answer the dial"
    return failure("gateway-down", cause, said, *_ways(attempt), remedy=see)


def _no_name(attempt: Attempt) -> Finding:
    servers = ", ".join(attempt.nameservers) or "none"
    dropped = [one for one in attempt.followed if one.dropped and one.what.startswith(_DNS)]
    why, remedy = "", "let DNS (UDP 53) out, or see the name server"
    if dropped:
        why = f"; {blocked(dropped[0]).cause}"
    elif any(one.answers for one in attempt.followed) and attempt.public:
        why = f", which answers that it has none, though it is {', '.join(attempt.public)}"
        remedy = "see why this name server refuses the name, or ask another one"
    known = (f"the Internet's DNS: {attempt.name} is {', '.join(attempt.public)}",)
    return failure(
        "name",
        f"the gateway's name {attempt.name} is not resolved by nameserver {servers}{why}",
        *_ways(attempt),
        *(known if attempt.public else ()),
        f"the client: {attempt.message}",
        remedy=remedy,
    )


def _ways(attempt: Attempt) -> tuple[str, ...]:
    return tuple(map(walk, attempt.followed))


def lost(followed: Followed) -> Finding:
    """It did not leave its node, or left one and did not come to the next."""
    at, way = stamp(followed.at), walk(followed)
    if not followed.last:
        cause = f"no packet of {followed.what} left {followed.path[0]}: {followed.result}"
        return failure("underlay", cause, way, remedy="see its routes", at=at)
    following = followed.path[[*followed.path].index(followed.last) + 1]
    cause = f"{followed.what} was seen at {followed.last} and did not arrive at {following}"
    remedy = f"see routes and cables between {followed.last} and {following}"
    return failure("underlay", cause, way, remedy=remedy, at=at)


def walk(followed: Followed) -> str:
    """A probe's way in a line."""
    if followed.dropped:
        return f"{followed.what}: dropped at {rule_of(followed.dropped)}"
    return f"{followed.what}: {followed.trail}; {', '.join(followed.answers) or followed.result}"


def _proxy(attempt: Attempt) -> Finding:
    assert attempt.proxy
    return proxy.judge(attempt.proxy, attempt.protocol, attempt.message, attempt.at)


def _tls(attempt: Attempt) -> Finding:
    said = attempt.record["message"] if attempt.record else attempt.message
    which = "of EAP-TLS " if attempt.protocol == "IkeV2" else ""
    cause = attempt.hello or f"client and gateway agree on no TLS {which}version and cipher: {said}"
    remedy = "let the client speak TLS 1.2 with a cipher suite of the gateway's"
    if attempt.lacks:
        remedy = f"{remedy}: {remedies.prepare(attempt.lacks)}"
    return failure("tls", cause, *_said(attempt), remedy=remedy, at=_moment(attempt))


def _revoked(attempt: Attempt) -> Finding:
    if reason_of(attempt) == "certificate-revoked":
        return _by_words(attempt, "revocation", "certificate-revoked")
    thumbprint = str(attempt.record["thumbprint"]) if attempt.record else ""
    entry = entry_of(thumbprint, attempt.document)
    deeds = [deed for deed in attempt.deeds if deed.verb == "revoke" and thumbprint in deed.effect]
    by = f" since {stamp(deeds[-1].at)} ({deeds[-1].text})" if deeds else ""
    now = (
        f"it is listed as entry {entry!r} of vpnClientRevokedCertificates"
        if entry
        else "now it is no longer in vpnClientRevokedCertificates"
    )
    return failure(
        "revocation",
        f"the certificate with thumbprint {thumbprint} is revoked{by}: {now}",
        f"the gateway's document: vpnClientRevokedCertificates: {entry or 'no entry'}",
        *_said(attempt),
        remedy=f"take the entry {entry!r} out if it is a mistake; else issue a new certificate",
        at=_moment(attempt),
    )


def entry_of(thumbprint: str, document: Mapping[str, Any]) -> str:
    """The name of the entry of vpnClientRevokedCertificates with a thumbprint, if there is one."""
    configuration = document.get("properties", {}).get("vpnClientConfiguration") or {}
    rows = configuration.get("vpnClientRevokedCertificates") or []
    own = (row for row in rows if row["properties"]["thumbprint"].upper() == thumbprint.upper())
    return next((str(row.get("name", "(no name)")) for row in own), "")


def _pool(attempt: Attempt) -> Finding:
    pool = _configuration(attempt).get("vpnClientAddressPool", {}).get("addressPrefixes", [])
    cause, remedy = WORDS["no-address"]
    return failure(
        "pool",
        cause,
        f"the pool: {', '.join(pool)}",
        f"addresses that {attempt.protocol} sessions have: {', '.join(attempt.taken) or 'none'}",
        *_said(attempt),
        remedy=remedy,
        at=_moment(attempt),
    )


def _limit(attempt: Attempt) -> Finding:
    sku = str(attempt.document["properties"]["sku"]["name"])
    why = str(attempt.record["message"]) if attempt.record else attempt.message
    return limited(why, sku, attempt.sessions, attempt.deeds, _moment(attempt))


def _silent(attempt: Attempt) -> Finding:
    """No RADIUS server answered: all that is seen to be wrong, the first first."""
    found = [finding for server in attempt.servers for finding in of_server(server)]
    said = (*_said(attempt), *_relevant(attempt))
    if not found:
        cause = f"no RADIUS server is known behind the gateway's: {attempt.message}"
        return failure("radius-path", cause, *said, remedy="see the servers", at=_moment(attempt))
    cause = "; ".join(dict.fromkeys(one.cause for one in found))
    proof = dict.fromkeys(line for one in found for line in one.proof)
    return failure(
        found[0].layer, cause, *proof, *said, remedy=found[0].remedy, at=_moment(attempt)
    )


def of_server(server: ServerSeen) -> Iterator[Finding]:
    """What is wrong with a RADIUS server or the way to it."""
    at = f"RADIUS server {server.address} ({server.node})"
    if alone := _ignored(server, at):
        yield alone
        return
    if server.tunnel:
        cause = f"the {at} is behind a site-to-site tunnel that is down: {server.tunnel.cause}"
        proof = (server.path, *server.tunnel.proof)
        yield failure(server.tunnel.layer, cause, *proof, remedy=server.tunnel.remedy)
    if silent := _unreached(server, at):
        yield silent


def _ignored(server: ServerSeen, at: str) -> Finding | None:
    """The server has got requests and told nobody what it thinks of them."""
    if server.dropped:
        return failure(
            "radius-secret",
            f"the {at} drops the gateway's requests: the shared secret that it has for the "
            "gateway differs from radiusServerSecret in the gateway's document",
            f"the server's log: {server.dropped[-1]}",
            remedy="enter the same secret at both",
        )
    if server.unknown:
        known = ", ".join(server.clients) or "none"
        return failure(
            "radius-path",
            f"the {at} does not know the gateway's address {server.source} as a client and "
            f"ignores it: its clients are {known}",
            f"the server's log: {server.unknown[-1]}",
            f"the clients in the server's configuration: {known}; the gateway asks from "
            f"{server.source}",
            remedy=f"add {server.source}, or the GatewaySubnet, to the server's clients",
        )
    if server.asks:
        return failure(
            "factor",
            f"the second factor was not answered: {server.node} asked the user's telephone, and "
            "the gateway gave up after 30 s",
            f"{server.node} is still waiting for the approval of {', '.join(server.asks)}",
            remedy="approve within 30 s, as long as gateways wait",
        )
    return None


def _unreached(server: ServerSeen, at: str) -> Finding | None:
    """Requests do not come to the server, or it does not answer."""
    followed = server.followed
    trail = (walk(followed),) if followed else ()
    if one := server.astray:
        cause = f"the gateway gets no answer of the {at}: {one.cause}"
        return failure("radius-path", cause, *one.proof, remedy=one.remedy)
    if not server.listens:
        table = f"/proc/net/udp of {server.node}: no {server.address}:1812"
        cause = f"the {at} does not answer: no program there has UDP 1812 (not running)"
        return failure("radius-path", cause, table, *trail, remedy="start the RADIUS server")
    if followed and not followed.arrived:
        drop = blocked(followed) if followed.dropped else None
        cause = f"UDP 1812 does not arrive at the {at}" + (f": {drop.cause}" if drop else "")
        remedy = drop.remedy if drop else "see firewalls and routes to it"
        return failure("radius-path", cause, *trail, remedy=remedy)
    if not server.tunnel:
        cause = f"the {at} has its port open and did not answer within 30 s (silent or too slow)"
        remedy = "see the server's load, and how long it waits for others"
        return failure("radius-path", cause, *trail, remedy=remedy)
    return None


def _passed(attempt: Attempt, failed: Finding) -> dict[Layer, str]:
    """What was looked at and found good."""
    passed: dict[Layer, str] = {}
    if offered := ", ".join(_configuration(attempt).get("vpnClientProtocols", ())):
        passed["profile-stale"] = f"the gateway offers {offered}"
    if attempt.resolved:
        passed["name"] = f"{attempt.name} is {', '.join(attempt.resolved)}"
    if attempt.route:
        passed["underlay"] = f"ip route get: {attempt.route}"
    record, through = attempt.record, [walk(one) for one in attempt.followed if one.arrived]
    end = f"{record['publicIpAddress']}:{record['publicPort']}" if record else ""
    reached = f"the gateway has a record of this dial from {end}" if record else ""
    if reached or through:
        passed["firewall"] = passed["gateway-down"] = reached or "; ".join(through)
    if record and failed.layer not in ("tls", "ike-proposal"):
        passed["tls" if attempt.protocol != "IkeV2" else "ike-proposal"] = reached
    if record and record["radiusServer"]:
        answered = f"RADIUS server {record['radiusServer']} answered"
        passed["radius-path"] = passed["radius-secret"] = answered
    return passed
