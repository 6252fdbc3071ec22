"""On-premises sites: what is refused, the addresses, and that no key is shown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from lab.topology.planning.describe import as_text, describe
from lab.topology.planning.plan import Route
from lab.topology.planning.specs import VpnDeviceSpec
from tests.unit.lab.topology.plans import assert_hangs_together, node, plan_of
from tests.unit.lab.topology.spoiling import SOUND, check, problems

KEY = "hunter2"
SITES = f"""\
sites:
  head-office:
    lan: 192.168.50.0/24
    connection: {{to: contoso-gw, sharedKey: {KEY}}}
    hosts: {{files: {{serves: [http]}}}}
  branch:
    lan: 192.168.60.0/24
    connection: {{to: contoso-gw, sharedKey: other, dpdTimeoutSeconds: 9}}
access:
"""
WITH_SITES = SOUND.replace("access:\n", SITES)


def spoiled(part: str, other: str) -> list[tuple[int, int, str]]:
    assert WITH_SITES.count(part) == 1, part
    return problems(WITH_SITES.replace(part, other))


def test_sites_are_accepted_and_their_plan_hangs_together() -> None:
    assert check(WITH_SITES).sites.keys() == {"head-office", "branch"}
    assert_hangs_together(plan_of(WITH_SITES))


@pytest.mark.parametrize(
    ("part", "other", "line", "words"),
    [
        ("to: contoso-gw, sharedKey: hunter2", "to: nowhere, sharedKey: hunter2", 25,
         "there is no gateway 'nowhere'"),
        ("lan: 192.168.60.0/24", "lan: 192.168.50.0/25", 28, "192.168.50.0/25 overlaps"),
        ("lan: 192.168.60.0/24", "lan: 10.1.0.0/24", 28, "10.1.0.0/24 overlaps"),
        ("lan: 192.168.60.0/24", "lan: 192.168.60.0/29", 28, "192.168.60.0/29 cannot be a"),
        ("{serves: [http]}}\n  branch", "{address: 192.168.50.1}}\n  branch", 26,
         "192.168.50.1 cannot be used"),
        ("hosts: {files", "hosts: {app1", 26, "'app1' is used already"),
        ("sharedKey: other", "sharedKey: [other]", 29, "a pre-shared key is"),
        ("dpdTimeoutSeconds: 9", "dpdTimeoutSeconds: 3", 29, "must be at least 9"),
        ("    lan: 192.168.60.0/24\n", "    lan: 192.168.60.0/24\n    privateLink: true\n", 29,
         "a private link beside a connection"),
    ],
)  # fmt: skip
def test_a_spoiled_site_is_refused_at_its_place(
    part: str, other: str, line: int, words: str
) -> None:
    [(found, _, said)] = spoiled(part, other)
    assert (found, said[: len(words)]) == (line, words)


def test_no_key_is_shown() -> None:
    plan = plan_of(WITH_SITES)
    assert KEY not in json.dumps(describe(plan)) + as_text(plan) + repr(plan)
    (connection, _) = plan.gateways[0].connections
    assert connection.properties.sharedKey == SecretStr(KEY)
    (vpn,) = [s for s in node(plan, "head-office").services if isinstance(s, VpnDeviceSpec)]
    assert vpn.shared_key == SecretStr(KEY)


def test_the_gateways_connections_are_azures_documents() -> None:
    (gateway,) = plan_of(WITH_SITES).gateways
    local, _ = gateway.local_network_gateways
    assert local.document() == {
        "name": "head-office",
        "properties": {
            "localNetworkAddressSpace": {"addressPrefixes": ["192.168.50.0/24"]},
            "gatewayIpAddress": "198.51.100.2",
        },
    }
    assert [c.properties.dpdTimeoutSeconds for c in gateway.connections] == [45, 9]


def test_the_vnet_reaches_a_site_through_its_gateway() -> None:
    plan = plan_of(WITH_SITES)
    at = plan.gateways[0].placement.privateIPAddress
    assert Route("192.168.50.0/24", str(at)) in node(plan, "contoso").routes


def test_the_private_lans_of_access_networks_avoid_sites() -> None:
    lan = WITH_SITES.replace("192.168.50.0/24", "192.168.77.0/24")
    plan = plan_of(lan.replace("home: {lan: 192.168.1.0/24}", "home: {}"))
    (bridge,) = node(plan, "home").bridges
    assert bridge.addresses == ("192.168.78.1/24",)


def test_a_private_link_is_a_node_between_vnet_and_site() -> None:
    text = WITH_SITES.replace("connection: {to: contoso-gw, sharedKey: hunter2}",
                              "privateLink: true")  # fmt: skip
    plan = plan_of(text)
    assert_hangs_together(plan)
    link = node(plan, "head-office-link")
    assert {route.destination for route in link.routes} == {"192.168.50.0/24", "10.1.0.0/16"}
    assert [r.via for r in node(plan, "contoso").routes if r.destination == "192.168.50.0/24"] == [
        "100.64.0.2"
    ]
    inside = [r.via for r in node(plan, "contoso-gw").routes if r.destination == "192.168.50.0/24"]
    assert inside == ["10.1.255.1"], "the gateway could send there"
    assert [c.name for c in plan.gateways[0].connections] == ["branch"]
    assert replace(link, services=()) == link, "nothing runs in it"


def test_more_tunnels_than_the_sku_has_are_refused() -> None:
    more = "".join(
        f"  s{n}: {{lan: 10.{n}.0.0/24, connection: {{to: contoso-gw, sharedKey: x}}}}\n"
        for n in range(10, 39)
    )
    [(_, _, said)] = problems(WITH_SITES.replace("access:\n", more + "access:\n"))
    assert said.startswith("the VpnGw1 SKU allows 30 site-to-site tunnels; use Virtual WAN if you")


def test_the_classic_model_is_refused_with_radius() -> None:
    text = SOUND.replace("    vnet: contoso\n", "    vnet: contoso\n    deploymentModel: Classic\n")
    assert all("the classic deployment model does not support" in w for _, _, w in problems(text))
    assert len(problems(text)) == 3


def test_classic_with_a_legacy_size_sstp_and_certificates_is_accepted() -> None:
    text = SOUND.replace("    vnet: contoso\n", "    vnet: contoso\n    deploymentModel: Classic\n")
    for part, other in (
        ("sku: {name: VpnGw1}", "sku: {name: Basic}"),
        ("[IkeV2, OpenVPN]", "[SSTP]"),
        ("over: IkeV2", "over: SSTP"),
    ):
        text = text.replace(part, other)
    assert problems(text) == []


@pytest.mark.parametrize(
    ("part", "other", "words", "seed"),
    [
        ("sku: {name: VpnGw1}", "sku: {name: Basic}", "the Basic SKU does not support RADIUS",
         "seed: The Basic SKU does not support IKEv2 or RADIUS authentication."),
        ("vpnClientProtocols: [IkeV2]", "vpnClientProtocols: [OpenVPN]",
         "OpenVPN is not supported with RADIUS",
         "seed: OpenVPN® Protocol is not supported with RADIUS authentication."),
        ("    vnet: contoso\n", "    vnet: contoso\n    deploymentModel: Classic\n",
         "the classic deployment model does not support RADIUS",
         "seed: RADIUS authentication is not supported for the classic deployment model."),
    ],
)  # fmt: skip
def test_what_radius_is_not_for_is_refused_in_the_seeds_words(
    part: str, other: str, words: str, seed: str
) -> None:
    radius = (SOUND.replace("[IkeV2, OpenVPN]", "[IkeV2]")
              .replace("[Certificate]", "[Radius]\n        radiusServerAddress: 10.1.1.9\n"
                       "        radiusServerSecret: hunter2")
              .replace("over: IkeV2}", "within: 5}"))  # fmt: skip
    assert problems(radius) == []
    assert radius.count(part) == 1
    found = [said for _, _, said in problems(radius.replace(part, other))]
    assert any(said.startswith(words) and seed in said for said in found), found
    assert not [said for said in found if "hunter2" in said]
