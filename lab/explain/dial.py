"""The chain of a dial that failed, from what was observed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.explain import clock, held, proxy, server_certificate
from lab.explain.attempt import Attempt
from lab.explain.authentication import no_method, not_accepted, since_changed
from lab.explain.blame import walk
from lab.explain.document import pool_of, protocols_of
from lab.explain.limit import limited
from lab.explain.model import DIAL, Chain, Finding, Layer, besides, chain_of, failure
from lab.explain.offer import not_able, not_offered
from lab.explain.radius_server import of_server
from lab.explain.remedies import prepare
from lab.explain.revocation import listed, revoked
from lab.explain.trust import out_of_date, untrusted
from lab.explain.unanswered import led_away, no_answer, obstacles

ONLY_TLS_12 = "VPN Gateway will support only TLS 1.2."
"""Of azure-docs about-point-to-site-vpn."""


def judge(attempt: Attempt) -> Chain:
    """The layers of the attempt."""
    found = _of_the_profile(attempt) or led_away(attempt) or _failed(attempt)
    failed = besides(found, _further(attempt))
    if attempt.choice and failed.layer in ("certificate", "revocation"):
        failed = attempt.choice.added(failed)
    beyond = attempt.record is not None
    return chain_of(attempt.protocol, DIAL, _passed(attempt, failed), failed, beyond=beyond)


def _further(attempt: Attempt) -> Iterator[Finding]:
    """What is wrong whether or not the dial came there."""
    yield from obstacles(attempt)
    if found := listed(attempt):
        yield found
    if not any(server.well for server in attempt.servers):
        for server in attempt.servers:
            yield from (one for one in of_server(server) if one.layer != "factor")


def _of_the_profile(attempt: Attempt) -> Finding | None:
    """The client's profile is not the gateway's of now, and that is why."""
    if attempt.held is None:
        return None
    said = (*attempt.recent, *attempt.walks, attempt.client_said)
    layer = attempt.meaning.layer
    return held.refusal(attempt.held, attempt.protocol, attempt.verdict, layer, said)


def _failed(attempt: Attempt) -> Finding:
    if attempt.reason == "no-protocol":
        return not_offered(attempt)
    if attempt.flaws:
        gateway = str(attempt.document.get("name", ""))
        return server_certificate.finding(gateway, attempt.flaws, *attempt.said)
    unheard = not attempt.record or any(way.dropped for way in attempt.followed)
    silence = attempt.meaning.layer == "firewall" and unheard
    if attempt.black_hole or attempt.undecided or silence:
        return no_answer(attempt)
    if attempt.clocks and attempt.reason in clock.REASONS:
        return clock.judge(attempt.clocks, attempt.said, attempt.at)
    return _OF_VERDICT.get(attempt.verdict, _by_words)(attempt)


def _by_words(attempt: Attempt) -> Finding:
    layer, cause, remedy = attempt.meaning
    if layer in ("certificate", "radius-verdict"):
        cause = f"{cause}{since_changed(attempt)}"
    if attempt.verdict == "no-proposal" and attempt.record and attempt.record["message"]:
        cause = str(attempt.record["message"])
    own = f"the client's certificate: {attempt.certificate}" if attempt.certificate else ""
    proof = (*attempt.said, own if layer == "certificate" else "", *attempt.recent)
    return failure(layer, cause, *proof, remedy=remedy, at=attempt.moment)


def _proxy(attempt: Attempt) -> Finding:
    if attempt.proxy is None:
        return _by_words(attempt)
    return proxy.judge(attempt.proxy, attempt.protocol, attempt.message, attempt.at)


def _tls(attempt: Attempt) -> Finding:
    which = "of EAP-TLS " if attempt.protocol == "IkeV2" else ""
    no_tls = f"client and gateway agree on no TLS {which}version and cipher: {attempt.why}"
    cause = attempt.hello or no_tls
    if attempt.methods and attempt.methods.tls and attempt.protocol == "IkeV2":
        cause = f"{cause}; {'; '.join(attempt.methods.tls)}. {ONLY_TLS_12!r}"
    remedy = "let the client speak TLS 1.2 with a cipher suite of the gateway's"
    if attempt.lacks:
        remedy = f"{remedy}: {prepare(attempt.lacks)}"
    return failure("tls", cause, *attempt.said, remedy=remedy, at=attempt.moment)


def _pool(attempt: Attempt) -> Finding:
    layer, cause, remedy = attempt.meaning
    return failure(
        layer,
        cause,
        f"the pool: {', '.join(pool_of(attempt.document))}",
        f"addresses that {attempt.protocol} sessions have: {', '.join(attempt.taken) or 'none'}",
        *attempt.said,
        remedy=remedy,
        at=attempt.moment,
    )


def _limit(attempt: Attempt) -> Finding:
    return limited(attempt.why, attempt.document, attempt.sessions, attempt.deeds, attempt.moment)


def _silent(attempt: Attempt) -> Finding:
    """No RADIUS server answered: all that is seen to be wrong, the first first."""
    found = [finding for server in attempt.servers for finding in of_server(server)]
    said = (*attempt.said, *attempt.recent)
    if not found:
        cause = f"no RADIUS server is known behind the gateway's: {attempt.message}"
        return failure("radius-path", cause, *said, remedy="see the servers", at=attempt.moment)
    cause = "; ".join(dict.fromkeys(one.cause for one in found))
    proof = dict.fromkeys(line for one in found for line in one.proof)
    return failure(found[0].layer, cause, *proof, *said, remedy=found[0].remedy, at=attempt.moment)


_OF_VERDICT: dict[str, Callable[[Attempt], Finding]] = {
    "system": not_able,
    "administrator": not_able,
    "proxy": _proxy,
    "tls": _tls,
    "protocol": _tls,
    "binding": _tls,
    "expired": out_of_date,
    "not-yet-valid": out_of_date,
    "untrusted": untrusted,
    "revoked": revoked,
    "certificate": not_accepted,
    "no-method": no_method,
    "radius-no-answer": _silent,
    "no-address": _pool,
    "limit": _limit,
}
"""What more is said than the reason's words."""


def _passed(attempt: Attempt, failed: Finding) -> dict[Layer, str]:
    """What was looked at and found good."""
    passed: dict[Layer, str] = {}
    if offered := ", ".join(protocols_of(attempt.document)):
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
