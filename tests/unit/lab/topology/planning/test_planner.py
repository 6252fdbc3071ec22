"""Plans are consistent, deterministic, and correspond to the topology."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.topology.load import load
from lab.topology.planning.describe import as_text, describe
from lab.topology.planning.specs import DnsSpec
from tests.rigs.made_up import Maker
from tests.unit.lab.topology.plans import assert_hangs_together, node, plan_of
from tests.unit.lab.topology.spoiling import SOURCE, TOPOLOGIES, problems, spoil

GOLDEN = Path(__file__).with_name("quickstart.plan.json")


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_the_plan_of_every_topology_hangs_together(path: Path) -> None:
    assert_hangs_together(load(path).plan())


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_a_file_gives_the_same_plan_every_time(path: Path) -> None:
    assert load(path).plan() == load(path).plan()


def test_there_are_topologies_to_look_at() -> None:
    assert len(TOPOLOGIES) >= 6


@settings(max_examples=40)
@given(
    hosts=st.integers(0, 5),
    networks=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 4)), max_size=5),
)
def test_any_number_of_networks_hosts_and_clients_hangs_together(
    hosts: int, networks: list[tuple[bool, bool, int]]
) -> None:
    more_hosts = "".join(f"\n      h{n}: {{subnet: app, serves: [dns]}}" for n in range(hosts))
    access = clients = ""
    for number, (nat, proxy, count) in enumerate(networks):
        what = "proxy: {}" if proxy else "allow: [icmp]"
        access += f"  n{number}: {{nat: {str(nat).lower()}, {what}}}\n"
        for client in range(count):
            clients += f"  c{number}-{client}: {{os: linux, behind: n{number}}}\n"
    text, _ = spoil(
        ("[http]}\n", f"[http]}}{more_hosts}\n"),
        ("access:\n", f"access:\n{access}"),
        ("clients:\n", f"clients:\n{clients}"),
    )
    plan = plan_of(text)
    assert_hangs_together(plan)
    assert len(plan.nodes) == 6 + hosts + sum(1 + proxy + count for _, proxy, count in networks)


def test_the_gateway_has_the_addresses_that_azure_would_give() -> None:
    [gateway] = plan_of().gateways
    assert str(gateway.placement.publicIPAddress) == "203.0.113.2"
    assert str(gateway.placement.privateIPAddress) == "10.1.255.4"
    identity = gateway.placement.gatewayId
    assert gateway.placement.fqdn.startswith(f"azuregateway-{identity}-")


def test_the_clients_pool_is_routed_to_the_gateway() -> None:
    [route] = node(plan_of(), "contoso").routes
    assert (route.destination, route.via) == ("172.16.201.0/24", "10.1.255.4")


def test_the_gateways_name_is_in_the_public_dns_and_in_its_certificate() -> None:
    plan = plan_of()
    fqdn = plan.gateways[0].placement.fqdn
    [dns] = node(plan, "internet").services
    assert isinstance(dns, DnsSpec)
    assert dns.records == {fqdn: ("203.0.113.2",)}
    [server] = [c for c in plan.certificates if c.kind == "server"]
    assert fqdn in server.dns_names
    assert server.issuer == "public-root"


def test_hosts_ask_the_dns_server_that_the_vnet_names() -> None:
    assert node(plan_of(), "app1").nameservers == ("168.63.129.16",)
    text, _ = spoil(("    hosts:\n", "    dhcpOptions: {dnsServers: [10.1.1.53]}\n    hosts:\n"))
    assert node(plan_of(text), "app1").nameservers == ("10.1.1.53",)


def test_a_lan_is_found_beside_what_is_taken() -> None:
    text, _ = spoil(
        ("home: {lan: 192.168.1.0/24}", "home: {}\n  cafe: {}\n  club: {lan: 192.168.78.0/24}")
    )
    lans = [node(plan_of(text), name).bridges[0].addresses for name in ("home", "cafe", "club")]
    assert lans == [("192.168.77.1/24",), ("192.168.79.1/24",), ("192.168.78.1/24",)]


def test_a_network_without_nat_is_routed_on_the_internet() -> None:
    assert node(plan_of(), "internet").routes == ()
    text, _ = spoil(("{lan: 192.168.1.0/24}", "{lan: 192.168.1.0/24, nat: false}"))
    [route] = node(plan_of(text), "internet").routes
    assert (route.destination, route.via) == ("192.168.1.0/24", "192.0.2.2")
    assert node(plan_of(text), "home").nftables is None


def test_what_leaves_a_filtered_network_is_judged_by_port_and_not_by_conntrack() -> None:
    text, _ = spoil(("{lan: 192.168.1.0/24}", "{allow: [tcp/443, udp/53, tcp/80, icmp]}"))
    rules = node(plan_of(text), "home").nftables or ""
    outward = [line.strip() for line in rules.splitlines() if 'iifname "lan"' in line]
    assert outward == [
        'iifname "lan" tcp dport { 80, 443 } accept',
        'iifname "lan" udp dport { 53 } accept',
        'iifname "lan" meta l4proto { icmp, ipv6-icmp } accept',
        'iifname "lan" ct state related accept',
    ]
    assert "policy drop" in rules


def test_behind_a_proxy_only_the_proxy_gets_out_and_answers_names() -> None:
    text, _ = spoil(("{lan: 192.168.1.0/24}", "{lan: 192.168.1.0/24, proxy: {allow: [443]}}"))
    plan = plan_of(text)
    rules = node(plan, "home").nftables or ""
    assert [line.strip() for line in rules.splitlines() if "accept" in line and "lan" in line] == [
        'iifname "lan" ip saddr 192.168.1.2 accept',
        'iifname "lan" ct state related accept',
    ]
    assert plan.clients[0].proxy == ("192.168.1.2", 3128)
    assert node(plan, "alice").nameservers == ("192.168.1.2",)
    assert [service.role for service in node(plan, "home-proxy").services] == ["dns", "proxy"]


def test_an_issuer_stands_before_what_it_issues_wherever_the_file_has_it() -> None:
    text, _ = spoil(("pki:\n", "pki:\n  users: {issuer: staff}\n  staff: {issuer: contoso-root}\n"))
    plan = plan_of(text)
    assert_hangs_together(plan)
    kinds = {certificate.name: certificate.kind for certificate in plan.certificates}
    assert (kinds["contoso-root"], kinds["staff"]) == ("root", "intermediate")


def test_validity_is_given_in_days() -> None:
    text, _ = spoil(("{issuer: contoso-root}", "{issuer: contoso-root, validFrom: +2d}"))
    [alice] = [c for c in plan_of(text).certificates if c.name == "alice"]
    assert (alice.days_before, alice.days_after) == (-2, 365)


def test_ipv6_prefixes_are_planned_as_ipv4_ones() -> None:
    vnet = "{addressSpace: ['fd00:1::/48'], subnets: {app: 'fd00:1:0:1::/64'}, %s}"
    text, _ = spoil(("vnets:\n", f"vnets:\n  six: {vnet % 'hosts: {app6: {subnet: app}}'}\n"))
    plan = plan_of(text)
    assert_hangs_together(plan)
    assert plan.addresses["app6"] == "fd00:1:0:1::4"


def test_the_description_of_quickstart_is_as_recorded() -> None:
    described = describe(load(SOURCE / "topologies" / "quickstart.yaml").plan())
    assert described == json.loads(GOLDEN.read_text()), "if intended: record it anew"


@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_a_plan_can_be_described_as_data_and_as_text(path: Path) -> None:
    plan = load(path).plan()
    json.dumps(describe(plan))
    text = as_text(plan)
    assert all(computer.name in text for computer in plan.nodes)
    assert f"{len(plan.steps)}. " in text


def test_what_is_made_up_hangs_together() -> None:
    accepted = [text for text in (Maker(seed).text() for seed in range(40)) if not problems(text)]
    assert len(accepted) >= 10
    for text in accepted:
        assert_hangs_together(plan_of(text))
