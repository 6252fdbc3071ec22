"""The layers of a dial that failed: the first broken one, its cause, its proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.explain.attempt import Attempt
from lab.explain.dial import judge
from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.model import failure
from lab.explain.radius_server import ServerSeen
from lab.world import Deed
from radius.reasons import Refusal

THUMBPRINT = "A" * 40
DROPPED = Dropped("hotel", "chain", "drop")
PATH = ("alice", "hotel", "internet", "gw")


def attempt(**fields: Any) -> Attempt:
    known = {"name": "gw.test", "resolved": ("203.0.113.2",), "route": "via 1"}
    head = {"protocol": "IkeV2", "reason": "refused", "message": "EAP_FAILURE"}
    return Attempt(**(head | {"dialled": True, "at": 1000.0} | known | fields))


def record(reason: str, message: str = "because", **fields: str) -> dict[str, str]:
    row = {"time": "2026-01-01T00:00:00.000+00:00", "reason": reason, "message": message}
    ends = {"publicIpAddress": "192.0.2.2", "publicPort": "4500", "radiusServer": ""}
    return row | ends | {"thumbprint": THUMBPRINT} | fields


def document(**configuration: Any) -> dict[str, Any]:
    return {"name": "gw", "properties": {"vpnClientConfiguration": configuration}}


def followed(*nodes: str, **fields: Any) -> Followed:
    seen = [Sighting(node, "eth0", leaving=False, at=1.0, text="") for node in nodes]
    return Followed("udp/500 to 203.0.113.2", "203.0.113.2", PATH, 1.0, seen, **fields)


def broken(one: Attempt) -> Any:
    found = judge(one).failed
    assert found
    return found


@pytest.mark.parametrize(
    ("reason", "layer"),
    [
        ("untrusted", "certificate"),
        ("expired", "certificate"),
        ("not-yet-valid", "certificate"),
        ("no-client-auth", "certificate"),
        ("limit", "limit"),
        ("no-address", "pool"),
        ("no-proposal", "ike-proposal"),
        ("tls", "tls"),
        ("disabled", "radius-verdict"),
        ("password", "radius-verdict"),
        ("second-factor-denied", "factor"),
    ],
)
def test_the_gateways_record_decides(reason: str, layer: str) -> None:
    size = {"name": "gw", "properties": {"sku": {"name": "VpnGw1"}}}
    one = attempt(record=record(reason, "the words"), document=size)
    assert broken(one).layer == layer
    assert any("the words" in line for line in broken(one).proof)


def test_the_servers_word_comes_before_the_gateways() -> None:
    one = attempt(record=record("refused"), told=Refusal("bob", "disabled", "0xc0000072"))
    assert one.verdict == "disabled"
    assert broken(one).proof[0] == "the RADIUS server's log: 0xc0000072"


def test_a_dial_that_nobody_judged_is_no_refusal() -> None:
    way = followed("alice", dropped=DROPPED)
    assert broken(attempt(followed=(way,))).layer == "firewall"
    assert broken(attempt(followed=(followed(*PATH),))).layer == "gateway-down"
    assert broken(attempt(record=record("untrusted"))).layer == "certificate"


def test_a_black_hole_comes_before_what_the_dial_ended_with() -> None:
    hole = failure("mtu", "too large", "silent", remedy="tell")
    assert broken(attempt(reason="no-answer", black_hole=hole)) == hole


def test_layers_below_the_broken_one_are_not_reached() -> None:
    chain = judge(attempt(record=record("revoked")))
    states = {one.layer: one.state for one in chain.findings}
    assert states["firewall"] == "passed"
    assert states["revocation"] == "failed"
    assert states["radius-path"] == states["pool"] == "not reached"
    assert all(one.seen for one in chain.findings if one.state == "passed")


def test_a_computer_that_speaks_too_old_a_tls_is_told_what_it_lacks() -> None:
    one = attempt(record=record("tls"), lacks=("KB3140245",))
    assert broken(one).remedy.endswith("of the gateway's: install or set what it lacks: KB3140245")
    assert "lacks" not in broken(replace(one, lacks=())).remedy


def test_a_dial_that_came_to_the_gateway_has_passed_layers_beyond_the_broken_one() -> None:
    tunnel = failure("firewall", "cut", "a rule", remedy="end the fault")
    server = ServerSeen("192.168.50.10", "radius", listens=True, followed=None, tunnel=tunnel)
    one = attempt(record=record("radius-no-answer"), servers=(server,))
    states = {row.layer: row.state for row in judge(one).findings}
    assert (states["firewall"], states["gateway-down"], states["ike-proposal"]) == (
        "failed", "passed", "passed",
    )  # fmt: skip
    assert states["radius-path"] == "not reached"


def test_a_fault_that_had_ended_is_no_proof() -> None:
    fault = Deed(1.0, "fault", "directory-down", "fault directory-down", "no directory")
    ended = Deed(2.0, "endFault", "directory-down", "end fault directory-down", "ended")
    one = attempt(record=record("disabled"), at=3.0, deeds=(fault,))
    assert broken(one).proof[-1].endswith("fault directory-down: no directory")
    over = broken(replace(one, deeds=(fault, ended)))
    assert not any("directory-down" in line for line in over.proof)
    during = replace(one, at=1.5, deeds=(fault, ended))
    assert any("directory-down" in line for line in broken(during).proof)


def test_a_certificate_that_is_refused_is_described() -> None:
    one = attempt(record=record("no-client-auth"), certificate="alice (valid until then)")
    assert broken(one).proof[-1] == "the client's certificate: alice (valid until then)"
    other = attempt(record=record("password"), certificate="alice (valid until then)")
    assert not any("certificate" in line for line in broken(other).proof)


def test_which_proposals_differ_is_said() -> None:
    one = attempt(record=record("no-proposal", "no common IKE proposal: A and B"))
    assert broken(one).cause == "no common IKE proposal: A and B"
    assert broken(attempt(record=record("no-proposal", ""))).cause.startswith("client and gateway")


def test_nothing_is_said_of_a_layer_that_nobody_looked_at() -> None:
    chain = judge(attempt(reason="no-answer", route="", resolved=("203.0.113.2",)))
    assert "underlay" not in {one.layer for one in chain.findings if one.state == "passed"}
