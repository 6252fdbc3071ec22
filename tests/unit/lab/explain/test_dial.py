"""The layers of a dial that failed: the first broken one, its cause, its proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.errors import UsageError
from lab.explain.dial import Attempt, ServerSeen, judge, reason_of
from lab.explain.explainer import goal_of, sentence
from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.goal import Goal
from lab.explain.model import Explanation, failure, lines
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
    return {"properties": {"vpnClientConfiguration": configuration}}


def followed(*nodes: str, **fields: Any) -> Followed:
    seen = [Sighting(node, "eth0", leaving=False, at=1.0, text="") for node in nodes]
    return Followed("udp/500 to 203.0.113.2", "203.0.113.2", PATH, 1.0, seen, **fields)


def broken(one: Attempt) -> Any:
    found = judge(one).failed
    assert found
    return found


def test_a_rule_that_drops_is_quoted_with_its_node() -> None:
    way = followed(
        "alice", "hotel", dropped=Dropped("hotel", "chain let_out", "policy drop after: no rule")
    )
    found = broken(attempt(reason="no-answer", followed=(way,)))
    assert found.layer == "firewall"
    assert found.cause == "udp/500 to 203.0.113.2 is dropped by the firewall of hotel"
    assert found.proof[0] == "hotel, chain let_out: policy drop after: no rule"


def test_a_packet_that_does_not_arrive_is_lost_between_two_nodes() -> None:
    found = broken(attempt(reason="no-answer", followed=(followed("alice", "hotel"),)))
    assert found.layer == "underlay"
    assert "seen at hotel and did not arrive at internet" in found.cause


def test_a_packet_that_never_left_is_not_called_dropped() -> None:
    way = followed(result="Network is unreachable")
    found = broken(attempt(reason="no-answer", followed=(way,)))
    assert found.layer == "underlay"
    assert "left alice: Network is unreachable" in found.cause


def test_nobody_listens_at_the_gateway() -> None:
    found = broken(attempt(reason="no-answer", followed=(followed(*PATH),),
                           listens={"udp/500": False, "udp/4500": True}))  # fmt: skip
    assert found.layer == "gateway-down"
    assert "listens on udp/500" in found.cause


def test_a_name_that_is_not_resolved_comes_first() -> None:
    found = broken(attempt(reason="no-answer", resolved=(), nameservers=("192.0.2.53",)))
    assert found.layer == "name"
    assert "192.0.2.53" in found.cause


def test_a_dial_of_which_nobody_has_a_record_blames_no_radius_server() -> None:
    found = broken(attempt(reason="refused", message="write: Broken pipe"))
    assert found.layer == "gateway-down"
    assert "the client: write: Broken pipe" in found.proof


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
    size = {"properties": {"sku": {"name": "VpnGw1"}}}
    one = attempt(record=record(reason, "the words"), document=size)
    assert broken(one).layer == layer
    assert any("the words" in line for line in broken(one).proof)


def test_the_servers_word_comes_before_the_gateways() -> None:
    one = attempt(record=record("refused"), told=Refusal("bob", "disabled", "0xc0000072"))
    assert reason_of(one) == "disabled"
    assert broken(one).proof[0] == "the RADIUS server's log: 0xc0000072"


def test_the_entry_with_the_thumbprint_is_named_whatever_it_is_called() -> None:
    rows = [{"name": "bobs-laptop", "properties": {"thumbprint": THUMBPRINT.lower()}}]
    one = attempt(record=record("revoked"), document=document(vpnClientRevokedCertificates=rows))
    assert broken(one).layer == "revocation"
    assert "'bobs-laptop'" in broken(one).cause
    later = replace(one, document=document(vpnClientRevokedCertificates=[]))
    assert "no longer in vpnClientRevokedCertificates" in broken(later).cause


def test_a_change_of_the_protocols_has_its_moment() -> None:
    deed = Deed(0.0, "update", "gw", "update gw properties vpnClientProtocols", "accepted")
    one = attempt(protocol="OpenVPN", reason="no-protocol", dialled=False, deeds=(deed,),
                  document=document(vpnClientProtocols=["SSTP"]))  # fmt: skip
    assert broken(one).layer == "profile-stale"
    assert "changed at 1970-01-01T00:00:00.000+00:00" in broken(one).cause
    assert "changed" not in broken(replace(one, deeds=())).cause


def test_a_fault_that_had_ended_is_no_proof() -> None:
    fault = Deed(1.0, "fault", "directory-down", "fault directory-down", "no directory")
    ended = Deed(2.0, "endFault", "directory-down", "end fault directory-down", "ended")
    one = attempt(record=record("disabled"), at=3.0, deeds=(fault,))
    assert broken(one).proof[-1].endswith("fault directory-down: no directory")
    over = broken(replace(one, deeds=(fault, ended)))
    assert not any("directory-down" in line for line in over.proof)
    during = replace(one, at=1.5, deeds=(fault, ended))
    assert any("directory-down" in line for line in broken(during).proof)


def test_which_proposals_differ_is_said() -> None:
    one = attempt(record=record("no-proposal", "no common IKE proposal: A and B"))
    assert broken(one).cause == "no common IKE proposal: A and B"
    assert broken(attempt(record=record("no-proposal", ""))).cause.startswith("client and gateway")


@pytest.mark.parametrize("reason", ["system", "administrator"])
def test_a_computer_that_cannot_dial_says_why(reason: str) -> None:
    said = "windows10 1607 dials no IkeV2 without KB4057142"
    offers = document(vpnClientProtocols=["SSTP"])
    one = attempt(reason=reason, message=said, dialled=False, able=("SSTP",), document=offers)
    found = broken(replace(one, lacks=("KB4057142",)))
    assert found.layer == "client-policy"
    assert found.cause.startswith(said)
    assert (
        found.remedy
        == {
            "system": "install or set what it lacks: KB4057142, or dial SSTP",
            "administrator": "let an administrator dial",
        }[reason]
    )


def test_a_computer_that_speaks_too_old_a_tls_is_told_what_it_lacks() -> None:
    one = attempt(record=record("tls"), lacks=("KB3140245",))
    assert broken(one).remedy.endswith("of the gateway's: install or set what it lacks: KB3140245")
    assert "lacks" not in broken(replace(one, lacks=())).remedy


def test_a_dial_that_came_to_the_gateway_has_passed_layers_beyond_the_broken_one() -> None:
    dropped = replace(SERVER, tunnel=failure("firewall", "cut", "a rule", remedy="end the fault"))
    one = attempt(record=record("radius-no-answer"), servers=(dropped,))
    states = {row.layer: row.state for row in judge(one).findings}
    assert (states["firewall"], states["gateway-down"], states["ike-proposal"]) == (
        "failed", "passed", "passed",
    )  # fmt: skip
    assert states["radius-path"] == "not reached"


def test_a_gateway_that_offers_nothing_that_the_system_dials() -> None:
    one = attempt(reason="no-protocol", dialled=False, system="macos 15", able=("IkeV2", "OpenVPN"),
                  document=document(vpnClientProtocols=["SSTP"]))  # fmt: skip
    assert broken(one).layer == "client-policy"
    assert "macos 15 dials IkeV2 and OpenVPN, and the gateway offers SSTP" in broken(one).cause
    assert broken(one).remedy.startswith("enable IkeV2 or OpenVPN in vpnClientProtocols")


def test_a_protocol_that_the_gateway_has_never_offered() -> None:
    one = attempt(reason="no-protocol", dialled=False, able=("IkeV2", "SSTP"),
                  document=document(vpnClientProtocols=["SSTP"]))  # fmt: skip
    assert broken(one).layer == "client-policy"
    assert broken(one).cause == "IkeV2 is not offered by the gateway: it offers SSTP"
    assert broken(one).remedy == (
        "dial SSTP, or enable IkeV2 in vpnClientProtocols and take a new profile"
    )


def test_a_dial_that_nobody_judged_is_no_refusal() -> None:
    way = followed("alice", dropped=DROPPED)
    assert broken(attempt(followed=(way,))).layer == "firewall"
    assert broken(attempt(followed=(followed(*PATH),))).layer == "gateway-down"
    assert broken(attempt(record=record("untrusted"))).layer == "certificate"


def test_a_black_hole_comes_before_what_the_dial_ended_with() -> None:
    hole = failure("mtu", "too large", "silent", remedy="tell")
    assert broken(attempt(reason="no-answer", black_hole=hole)) == hole


SERVER = ServerSeen("192.168.50.10", "radius", listens=True, followed=None)


@pytest.mark.parametrize(
    ("server", "layer", "words"),
    [
        (replace(SERVER, dropped=("Shared secret is incorrect",)), "radius-secret", "differs"),
        (
            replace(SERVER, unknown=("unknown client",), clients=("10.9.0.0/27",)),
            "radius-path",
            "its clients are 10.9.0.0/27",
        ),
        (
            replace(SERVER, astray=failure("way-back", "no way back", remedy="")),
            "radius-path",
            "no way back",
        ),
        (
            replace(SERVER, followed=followed("alice", dropped=DROPPED)),
            "radius-path",
            "dropped by the firewall of hotel",
        ),
        (replace(SERVER, asks=("alice",)), "factor", "telephone"),
        (replace(SERVER, listens=False), "radius-path", "not running"),
        (replace(SERVER, followed=followed("alice")), "radius-path", "does not arrive"),
        (replace(SERVER, followed=followed(*PATH)), "radius-path", "did not answer within 30 s"),
    ],
)
def test_a_silent_radius_server(server: ServerSeen, layer: str, words: str) -> None:
    one = attempt(record=record("radius-no-answer"), servers=(server,))
    assert broken(one).layer == layer
    assert words in broken(one).cause


def test_two_causes_are_both_named_the_first_first() -> None:
    tunnel = failure("s2s", "the keys differ", "AUTH_FAILED", remedy="one key")
    server = replace(SERVER, listens=False, tunnel=tunnel, path="connection office: NotConnected")
    found = broken(attempt(record=record("radius-no-answer"), servers=(server,)))
    assert found.layer == "s2s"
    assert found.cause.index("the keys differ") < found.cause.index("not running")


def test_a_revoked_certificate_behind_a_firewall_is_said_second() -> None:
    rows = [{"name": "lost", "properties": {"thumbprint": THUMBPRINT}}]
    way = followed("alice", dropped=DROPPED)
    one = attempt(reason="no-answer", followed=(way,), thumbprint=THUMBPRINT,
                  document=document(vpnClientRevokedCertificates=rows))  # fmt: skip
    assert broken(one).layer == "firewall"
    cause = broken(one).cause
    assert cause.index("dropped") < cause.index("revoked: entry 'lost'")
    assert "revoked" not in broken(replace(one, thumbprint="B" * 40)).cause


def test_layers_below_the_broken_one_are_not_reached() -> None:
    chain = judge(attempt(record=record("revoked")))
    states = {one.layer: one.state for one in chain.findings}
    assert states["firewall"] == "passed"
    assert states["revocation"] == "failed"
    assert states["radius-path"] == states["pool"] == "not reached"
    assert all(one.seen for one in chain.findings if one.state == "passed")


def test_nothing_is_said_of_a_layer_that_nobody_looked_at() -> None:
    chain = judge(attempt(reason="no-answer", route="", resolved=("203.0.113.2",)))
    assert "underlay" not in {one.layer for one in chain.findings if one.state == "passed"}


def test_the_sentence_is_about_the_protocol_that_came_furthest() -> None:
    way = followed("alice", dropped=DROPPED)
    blocked = judge(attempt(reason="no-answer", followed=(way,)))
    revoked = judge(attempt(protocol="SSTP", record=record("revoked")))
    chains = (blocked, revoked)
    text = sentence("alice", chains)
    assert text.startswith("alice is not connected: SSTP: the certificate")
    assert "IkeV2: udp/500 to 203.0.113.2 is dropped" in text
    data = Explanation("alice", text, chains).as_data()
    assert data["layer"] == "revocation"
    assert any(line.strip().startswith("change: ") for line in lines(data))


def test_a_goal_is_a_host_and_a_port() -> None:
    assert goal_of("app1:80") == Goal("tcp", "app1", 80)
    assert goal_of("dns1:udp/53") == Goal("udp", "dns1", 53)
    assert goal_of("app1") == Goal("icmp", "app1")
    for wrong in ("app1:http", ":80", "app1:sctp/80", "app1:70000", "app1:0"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            goal_of(wrong)
