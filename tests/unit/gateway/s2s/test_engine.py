"""charon's configuration of a site-to-site tunnel, and the reasons for refusals."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.arm.ipsec import IpsecPolicy
from gateway.s2s.config import Tunnel, connection, shared_key
from gateway.s2s.keeper import reason
from tests.unit.gateway.arm.test_ipsec import POLICY

PUBLIC = IPv4Address("203.0.113.2")
KEY = "hunter2"


def tunnel(**changes: Any) -> Tunnel:
    fields = {
        "name": "office",
        "peer": IPv4Address("198.51.100.2"),
        "prefixes": (IPv4Network("192.168.50.0/24"),),
        "local": (IPv4Network("10.1.0.0/16"), IPv4Network("172.16.201.0/24")),
        "dpd_timeout": 45,
        "initiates": True,
        "key": SecretStr(KEY),
    }
    return Tunnel(**(fields | changes))


def told(one: Tunnel, *, userspace: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    message = connection(one, PUBLIC, userspace=userspace)
    return message, message["children"]["s2s-office"]


def test_lifetimes_are_azures() -> None:
    message, child = told(tunnel())
    assert int(message["rekey_time"][:-1]) + int(message["over_time"][:-1]) == 28_800
    assert child["life_time"] == "27000s"
    assert child["life_bytes"] == str(102_400_000 * 1024)
    assert int(child["rekey_time"][:-1]) < 27_000


def test_group_2_without_pfs_is_what_is_proposed() -> None:
    message, child = told(tunnel())
    assert all(proposal.endswith("-modp1024") for proposal in message["proposals"])
    assert message["proposals"][0] == "aes256-sha1-modp1024"
    assert child["esp_proposals"][:2] == ["aes256gcm16", "aes256-sha1"]
    assert not [proposal for proposal in child["esp_proposals"] if "modp" in proposal]


def test_a_policy_is_all_that_is_proposed_and_the_life_of_the_ike_sa_stays() -> None:
    policy = IpsecPolicy.model_validate(POLICY)
    message, child = told(tunnel(policy=policy))
    assert message["proposals"] == ["aes256-sha384-modp2048"]
    assert child["esp_proposals"] == ["aes256-sha256-modp2048"]
    assert (child["life_time"], child["life_bytes"]) == ("86471s", str(429_496 * 1024))
    assert int(message["rekey_time"][:-1]) + int(message["over_time"][:-1]) == 28_800


@pytest.mark.parametrize(("timeout", "delay"), [(45, "37s"), (9, "1s"), (3600, "3592s")])
def test_a_dead_peer_is_noticed_after_its_timeout(timeout: int, delay: str) -> None:
    assert told(tunnel(dpd_timeout=timeout))[0]["dpd_delay"] == delay


def test_selectors_are_both_sides_prefixes() -> None:
    _, child = told(tunnel())
    assert child["local_ts"] == ["10.1.0.0/16", "172.16.201.0/24"]
    assert child["remote_ts"] == ["192.168.50.0/24"]


def test_kernel_esp_holds_packets_back_until_there_is_a_tunnel() -> None:
    assert told(tunnel(), userspace=False)[1]["start_action"] == "trap"
    assert told(tunnel(), userspace=True)[1]["start_action"] == "none"


def test_the_key_is_in_its_own_message_only() -> None:
    assert KEY not in str(told(tunnel())) + repr(tunnel())
    message = shared_key(tunnel(), PUBLIC)
    assert (message["data"], message["owners"]) == (KEY, ["198.51.100.2", "203.0.113.2"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("parsed IKE_AUTH response 1 [ N(AUTH_FAILED) ]", "the pre-shared keys differ"),
        ("giving up after 3 retransmits", "the VPN device does not answer"),
        ("received NO_PROPOSAL_CHOSEN notify error", "the two sides share no IKE proposal"),
        ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", "share no ESP proposal"),
        ("received TS_UNACCEPTABLE notify, no CHILD_SA built", "share no traffic selectors"),
    ],
)
def test_a_refusal_quotes_charons_message(line: str, words: str) -> None:
    said = reason(["initiating IKE_SA s2s-office[1]", line], "establishing CHILD_SA failed")
    assert words in said
    assert line in said


def test_an_unknown_message_is_quoted() -> None:
    assert reason([], "no such thing") == "no such thing"
