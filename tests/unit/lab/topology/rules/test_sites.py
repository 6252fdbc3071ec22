"""Sites, hosts and subnets that cannot be as the file has them, each told at its place."""

from __future__ import annotations

from typing import Any

import pytest

from lab.roles.site import selectors
from lab.topology.planning.specs import VpnDeviceSpec
from tests.unit.lab.topology.plans import assert_hangs_together, node, plan_of
from tests.unit.lab.topology.spoiling import HERE, RADIUS, SOUND, problems, spoil

SHARED = 'sharedKey: "key of gateway and site"}'
CONNECTION = "connection: {to: contoso-gw, sharedKey: "
LAN = "    lan: 192.168.50.0/24\n"
APP1 = "app1: {subnet: app, serves: [http]}"
HOSTS = "    hosts:\n      app1: {subnet: app, serves: [http]}\n"
DENY_ALL = "{name: a, properties: {priority: 100, direction: Inbound, access: Deny%s}}"


def told(*prefixes: str, address: str = "") -> tuple[str, str]:
    parts = [f"gatewayIpAddress: {address}"] if address else []
    parts += [f"addressPrefixes: [{', '.join(prefixes)}]"] if prefixes else []
    return SHARED, f"{SHARED[:-1]}, localNetworkGateway: {{{', '.join(parts)}}}}}"


def device(text: str) -> tuple[str, str]:
    return LAN, f"{LAN}    device: {{{text}}}\n"


def group(*rules: str, subnet: str = "app", mark: str = "") -> tuple[str, str]:
    text = f"networkSecurityGroups: {{{subnet}: {mark}{{securityRules: [{', '.join(rules)}]}}}}"
    return HOSTS, f"    {text}\n{HOSTS}"


TWIN = f"localNetworkGateway: {{gatewayIpAddress: {HERE}198.51.100.6}}"
OTHER = f"other: {{lan: 192.168.60.0/24, connection: {{to: contoso-gw, sharedKey: k, {TWIN}}}}}"
OTHER_SITE = ("sites:\n", f"sites:\n  {OTHER}\n")
CASES: list[tuple[str, tuple[str, str], str]] = [
    (RADIUS, told(f"{HERE}10.1.1.0/24"), "10.1.1.0/24 overlaps 10.1.0.0/16 of the VNet"),
    (RADIUS, told("192.168.50.0/25", f"{HERE}192.168.50.0/26"), "192.168.50.0/26 overlaps"),
    (RADIUS, told(f"{HERE}203.0.113.0/30"), "203.0.113.0/30 overlaps 203.0.113.0/24, which is"),
    (RADIUS, told(f"{HERE}fd00::/64"), "fd00::/64 is IPv6"),
    (RADIUS, told(f"{HERE}192.168.50.1/24"), "192.168.50.1/24 has host bits set"),
    (RADIUS, told(address=f"{HERE}fd00::1"), "fd00::1 is IPv6"),
    (RADIUS, OTHER_SITE, "contoso-gw has a tunnel to 198.51.100.6 already, that of 'head-office'"),
    (RADIUS, device(f"peer: {HERE}fd00::1"), "fd00::1 is IPv6"),
    (RADIUS, device(f"remotePrefixes: [{HERE}10.1.1.0/24]"), "10.1.1.0/24 is a part of 10.1.0.0"),
    (RADIUS, device(f"remotePrefixes: [{HERE}172.16.201.0/25]"), "172.16.201.0/25 is a part of"),
    (RADIUS, (LAN, f"{LAN}    tellsMtu: {HERE}false\n"), "no packet is too large for the line of"),
    (RADIUS, (LAN, f"{LAN}    firewall: {{denyIn: [{HERE}udp/1, udp]}}\n"), "udp has udp/1 in it"),
    (RADIUS, ("group: vpn,", f"group: vpn, defaultGateway: {HERE}192.168.51.1,"),
     "192.168.51.1 is no computer's address"),
    (RADIUS, ("group: vpn,", f"group: vpn, defaultGateway: {HERE}192.168.50.10,"),
     "192.168.50.10 is its own address"),
    (RADIUS, (LAN, f"{LAN}    hosts: {{h: {{defaultGateway: {HERE}192.168.50.11}}}}\n"),
     "192.168.50.11 is its own address"),
    (SOUND, (APP1, f"app1: {{subnet: app, listens: {HERE}loopback}}"), "'app1' serves nothing"),
    (SOUND, (APP1, f"app1: {{subnet: app, firewall: {{deny: [{HERE}tcp/80, tcp]}}}}"),
     "tcp has tcp/80 in it already"),
    (SOUND, group(subnet="GatewaySubnet", mark=HERE), "network security groups on GatewaySubnet"),
    (SOUND, group(subnet="apps", mark=HERE), "'contoso' has no subnet 'apps'; did you mean 'app'?"),
    (SOUND, group(DENY_ALL % "", DENY_ALL.replace("a,", "b,", 1).replace("100", f"{HERE}100") % ""),
     "'a' has the priority 100 already"),
    (SOUND, group(DENY_ALL % "", DENY_ALL.replace("a,", f"{HERE}A,", 1).replace("100", "101") % ""),
     "'A' stands twice"),
    (SOUND, group(DENY_ALL % f", protocol: {HERE}Icmp, destinationPortRange: 80"),
     "Icmp has no ports"),
    (SOUND, group(DENY_ALL % f", destinationPortRange: {HERE}90-80"), "'90-80' is not a port"),
    (SOUND, group(DENY_ALL % f", sourceAddressPrefix: {HERE}VirtualNet"), "'VirtualNet' is not an"),
    (SOUND, ("{lan: 192.168.1.0/24}", f"{{mtu: {HERE}9000}}"), "must be at most 1500"),
    (SOUND, ("port: 80}", f"port: 80, bytes: {HERE}100}}"), "the size is that of an ICMP packet"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[2])
def test_it_is_told_at_its_place(case: tuple[str, tuple[str, str], str]) -> None:
    text, change, words = case
    spoilt, places = spoil(change, text=text)
    found = problems(spoilt)
    assert [(line, column) for line, column, _ in found] == places
    assert found[0][2].startswith(words)


def test_a_device_without_a_connection_is_refused() -> None:
    site = f"s: {{lan: 192.168.9.0/24, device: {HERE}{{peer: 203.0.113.9}}}}"
    text, places = spoil(("access:\n", f"sites:\n  {site}\naccess:\n"))
    [(*place, words)] = problems(text)
    assert (tuple(place), words.split(";")[0]) == (
        places[0], "'s' has no connection, so device has no effect",
    )  # fmt: skip


def test_what_azure_is_told_becomes_its_local_network_gateway_and_the_vnets_routes() -> None:
    text, _ = spoil(
        told("192.168.50.0/26", "192.168.77.0/24", address="198.51.100.77"), text=RADIUS
    )
    plan = plan_of(text)
    [local] = plan.gateways[0].local_network_gateways
    assert local.properties.gatewayIpAddress == "198.51.100.77"
    prefixes = ("192.168.50.0/26", "192.168.77.0/24")
    assert local.properties.localNetworkAddressSpace.addressPrefixes == prefixes
    routes = {route.destination for route in node(plan, "contoso").routes}
    assert routes == {*prefixes, "172.16.201.0/24"}
    assert_hangs_together(plan)


@pytest.mark.parametrize(
    ("local", "known", "both"),
    [
        (["10.0.0.0/24"], ["10.0.0.0/24"], ["10.0.0.0/24"]),
        (["10.0.0.0/24"], ["10.0.0.0/16"], ["10.0.0.0/24"]),
        (["10.0.0.0/16"], ["10.0.0.0/24", "10.0.1.0/24"], ["10.0.0.0/24", "10.0.1.0/24"]),
        (["10.0.0.0/24"], ["10.0.1.0/24"], []),
    ],
)
def test_the_selectors_are_what_both_sides_have(
    local: list[str], known: list[str], both: list[str]
) -> None:
    secret: Any = None
    spec = VpnDeviceSpec("", "", tuple(local), (), "", tuple(known), secret)
    assert [str(prefix) for prefix in selectors(spec)] == both
