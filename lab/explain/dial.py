"""The chain of a dial that failed, from what was observed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from lab.explain import clock, held, proxy, server_certificate
from lab.explain.attempt import Attempt
from lab.explain.blame import walk
from lab.explain.choice import untrusted
from lab.explain.document import pool_of, protocols_of
from lab.explain.limit import limited
from lab.explain.model import DIAL, Chain, Finding, Layer, chain_of, depth, failure
from lab.explain.offer import not_able, not_offered
from lab.explain.radius_server import of_server
from lab.explain.remedies import prepare
from lab.explain.revocation import listed, revoked
from lab.explain.unanswered import led_away, no_answer, obstacles


def judge(attempt: Attempt) -> Chain:
    """The layers of the attempt."""
    found = _of_the_profile(attempt) or led_away(attempt) or _failed(attempt)
    failed = _besides(found, attempt)
    if attempt.choice and failed.layer in ("certificate", "revocation"):
        failed = attempt.choice.added(failed)
    beyond = attempt.record is not None
    return chain_of(attempt.protocol, DIAL, _passed(attempt, failed), failed, beyond=beyond)


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
        return attempt.black_hole or no_answer(attempt)
    if attempt.clocks and attempt.reason in clock.REASONS:
        return clock.judge(attempt.clocks, attempt.said, attempt.at)
    return _OF_VERDICT.get(attempt.verdict, _by_words)(attempt)


def _by_words(attempt: Attempt) -> Finding:
    layer, cause, remedy = attempt.meaning
    if attempt.verdict == "certificate" and attempt.told:
        cause = f"{cause}: {attempt.told.message}"
    if attempt.verdict == "no-proposal" and attempt.record and attempt.record["message"]:
        cause = str(attempt.record["message"])
    if attempt.verdict == "untrusted" and attempt.root:
        cause = untrusted(attempt.root, attempt.document)
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
    sku = str(attempt.document["properties"]["sku"]["name"])
    return limited(attempt.why, sku, attempt.sessions, attempt.deeds, attempt.moment)


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
    "revoked": revoked,
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
