"""What an access router's firewall has for each entry."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lab.topology.planning.firewall import provider_rules, router_rules, router_sysctls
from lab.topology.planning.plan import NodePlan
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import check, spoil


def rules(network: str) -> str:
    text, _ = spoil(("{lan: 192.168.1.0/24}", network))
    return router_rules(check(text).access["home"], None) or ""


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ("deny: [udp/500]", "udp dport { 500 } drop"),
        ("deny: [203.0.113.2]", "ip daddr 203.0.113.2/32 meta l4proto tcp drop"),
        ("deny: [203.0.113.2]", "ip daddr 203.0.113.2/32 drop"),
        ("deny: [tcp/443 to 203.0.113.0/24]", "ip daddr 203.0.113.0/24 tcp dport { 443 } drop"),
        ("deny: ['udp to 2001:db8::/32']", "ip6 daddr 2001:db8::/32 meta l4proto udp drop"),
        ("reject: [tcp/443]", "tcp dport { 443 } reject with tcp reset"),
        ("reject: [udp]", "meta l4proto udp reject with icmpx admin-prohibited"),
        ("reject: [203.0.113.2]", "ip daddr 203.0.113.2/32 meta l4proto tcp reject with tcp reset"),
        ("reject: [203.0.113.2]", "ip daddr 203.0.113.2/32 reject with icmpx admin-prohibited"),
    ],
)
def test_an_entry_is_a_rule_for_what_leaves(entries: str, line: str) -> None:
    assert f'    iifname "lan" {line}\n' in rules(f"{{{entries}}}")


def test_what_is_rejected_comes_before_what_is_dropped_and_both_before_what_is_let_out() -> None:
    text = rules("{allow: [tcp], deny: [tcp/25], reject: [tcp/80]}")
    places = [text.index(word) for word in ("reject with", "{ 25 } drop", "chain let_out")]
    assert places == sorted(places)
    assert "priority filter - 2" in text.partition("chain blocked")[2].partition("}")[0]


def test_a_network_without_entries_has_no_rules_for_them() -> None:
    assert "blocked" not in rules("{}")
    assert "signed_in" not in rules("{}")


def test_a_router_remembers_as_long_as_it_is_told() -> None:
    text, _ = spoil(("{lan: 192.168.1.0/24}", "{udpTimeout: 2m}"))
    assert {value for _, value in router_sysctls(check(text).access["home"])} == {"120"}
    assert router_sysctls(check(spoil()[0]).access["home"]) == ()


def test_a_provider_that_tells_nobody_is_silent_about_one_line_alone() -> None:
    text = provider_rules([ip_address("198.51.100.2"), ip_address("198.51.100.6")]) or ""
    (line,) = (line.strip() for line in text.splitlines() if "frag-needed" in line)
    assert line.endswith("@th,192,32 { 0xc6336402, 0xc6336406 } drop")
    assert provider_rules([]) is None


def home(network: str) -> tuple[NodePlan, NodePlan]:
    """The router and the client behind it."""
    text, _ = spoil(("{lan: 192.168.1.0/24}", network))
    nodes = {node.name: node for node in plan_of(text).nodes}
    return nodes["home"], nodes["alice"]


def test_a_gateways_name_stands_for_the_one_that_clients_dial() -> None:
    router, alice = home("{dns: {answers: {Contoso-GW: 10.9.9.9}, refuses: [a.test]}}")
    [dns] = router.services
    [name] = dns.records  # type: ignore[union-attr]
    assert name.startswith("azuregateway-")
    assert dns.records[name] == ("10.9.9.9",)  # type: ignore[union-attr]
    assert dns.refused == ("a.test",)  # type: ignore[union-attr]
    assert alice.nameservers == ("192.168.77.1",)


def test_without_a_server_of_its_own_a_network_asks_the_internets_or_its_proxy() -> None:
    assert home("{}")[1].nameservers == ("198.51.100.253",)
    assert home("{proxy: {}}")[1].nameservers == ("192.168.77.2",)
    assert home("{proxy: {}, dns: {}}")[1].nameservers == ("192.168.77.1",)


def test_what_goes_to_tcp_443_is_led_to_who_breaks_tls_open() -> None:
    router, _ = home("{inspects: true}")
    assert "tcp dport 443 redirect to :8444" in (router.nftables or "")
    [inspection] = router.services
    [shown] = inspection.certificates.items()  # type: ignore[union-attr]
    assert shown[0].startswith("azuregateway-")
    assert shown[1] == "home-inspection-contoso-gw"
