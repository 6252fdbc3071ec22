"""Every refusal: its position, its message and its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.topology.planning.planner import make_plan
from tests.unit.lab.topology.plans import assert_hangs_together
from tests.unit.lab.topology.spoiling import SOUND, check, problems, spoil

POOL = "[172.16.201.0/24]"


ROOTS = '- {name: r, properties: {publicCertData: "${contoso-root.publicCertData}"}}'


REACHES = "{reaches: alice, host: app1, port: 80}"


CONNECTS = "{connects: alice, over: IkeV2}"


HOME = "{lan: 192.168.1.0/24}"


CASES = yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_spoiled_topology_is_refused_at_its_place_and_nowhere_else(case: dict[str, Any]) -> None:
    text, places = spoil((case["part"], case["with"]))
    found = problems(text)
    assert [[line, column] for line, column, _ in found] == [case.get("at") or list(*places)]
    assert found[0][2].startswith(case["says"])


@pytest.mark.parametrize(
    "case", [case for case in CASES if "right" in case], ids=lambda case: case["case"]
)
def test_the_remedy_helps(case: dict[str, Any]) -> None:
    text, _ = spoil((case["part"], case["right"]))
    assert problems(text) == []


def test_the_sound_topology_is_accepted() -> None:
    assert check(SOUND).name == "office"


def test_revoking_needs_a_certificate() -> None:
    text, [place] = spoil(
        (", certificate: {issuer: contoso-root}", ""), (CONNECTS, "{revoke: «alice}")
    )
    [(*found, words)] = problems(text)
    assert tuple(found) == place
    assert words.startswith("'alice' has no certificate; give the client a `certificate`")


def test_what_has_no_effect_is_refused() -> None:
    offer = "{esp: [aes256gcm16]}"
    text, places = spoil(
        ("os: windows10,", f"os: windows10, protocols: [OpenVPN], ike: «{offer},"),
        ("over: IkeV2", "over: OpenVPN"),
        ("access:\n", f"sites:\n  office: {{lan: 192.168.50.0/24, ike: «{offer}}}\naccess:\n"),
    )
    words = {(line, column): said for line, column, said in problems(text)}
    site, client = places
    assert words.keys() == {site, client}
    assert words[site].startswith("'office' has no connection, so ike has no effect")
    assert words[client].startswith("'alice' does not dial IkeV2, so ike has no effect")


def test_a_sites_policy_is_judged_at_its_place() -> None:
    policy = (
        "{saLifeTimeSeconds: 300, saDataSizeKilobytes: 1024, ipsecEncryption: none, "
        "ipsecIntegrity: md5, ikeEncryption: des, ikeIntegrity: «GCMAES128, dhGroup: «None, "
        "pfsGroup: PFSMM}"
    )
    connection = f"{{to: contoso-gw, sharedKey: key, ipsecPolicies: [{policy}]}}"
    site = f"sites:\n  office: {{lan: 192.168.50.0/24, connection: {connection}}}\n"
    text, places = spoil(("access:\n", f"{site}access:\n"))
    assert [found[:2] for found in problems(text)] == places


def test_a_placeholder_of_a_client_without_a_certificate_is_refused() -> None:
    text, [place] = spoil(
        (", certificate: {issuer: contoso-root}", ""),
        (ROOTS, '- {name: r, properties: {publicCertData: «"${alice.publicCertData}"}}'),
    )
    assert [found[:2] for found in problems(text)] == [place]


CHAIN = "contoso-root: {}\n  middle: {issuer: contoso-root}\n  last: {issuer: middle}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alice", "'alice' is no root: it is a client certificate"),
        ("last", "'last' is no root: it is an intermediate authority, issued by 'middle'"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_a_placeholder_of_what_is_no_root_is_refused(name: str, words: str, again: bool) -> None:
    data = f'publicCertData: «"${{{name}.publicCertData}}"'
    changes = [("contoso-root: {}", CHAIN), (ROOTS, f"- {{name: r, properties: {{{data}}}}}")]
    if again:
        roots = f"vpnClientRootCertificates: [{{name: r, properties: {{{data}}}}}]"
        step = f"{{update: contoso-gw, properties: {{vpnClientConfiguration: {{{roots}}}}}}}"
        changes[1:] = [(REACHES, step)]
    text, [place] = spoil(*changes)
    [(*found, said)] = problems(text)
    assert tuple(found) == place
    assert said.startswith(f"{words}; upload ")
    assert "${contoso-root.publicCertData}" in said


def test_a_second_gateway_in_a_vnet_is_refused() -> None:
    first = "gw2:\n    vnet: contoso\n    properties: {sku: {name: VpnGw1}}\n  "
    text, [place] = spoil(
        ("contoso-gw:\n    vnet: contoso\n", f"{first}contoso-gw:\n    vnet: «contoso\n"),
        ("behind: home", "behind: home, gateway: contoso-gw"),
    )
    [(*found, words)] = problems(text)
    assert tuple(found) == place
    assert words.startswith("the VNet 'contoso' has a gateway already: 'gw2'")


def test_a_client_with_a_choice_of_gateways_must_say_which() -> None:
    vnet = "{addressSpace: [10.2.0.0/16], subnets: {GatewaySubnet: 10.2.0.0/24}}"
    text, [place] = spoil(
        ("gateways:\n", "gateways:\n  gw2: {vnet: v2, properties: {sku: {name: VpnGw1}}}\n"),
        ("vnets:\n", f"vnets:\n  v2: {vnet}\n"),
        ("{os: windows10", "«{os: windows10"),
    )
    words = "'alice' must name its gateway; there are contoso-gw and gw2"
    assert problems(text) == [(*place, words)]


@pytest.mark.parametrize(
    "change",
    [
        ("vnets:\n", "vnets:\n  v0: {addressSpace: [10.1.128.0/17]}\n"),
        ("  home:", "  other: {lan: 192.168.1.0/24}\n  home:"),
        ("  home:", "  other: {lan: 192.168.1.0/24, nat: false}\n  home:"),
        ("192.168.1.0/24", "10.1.1.0/24"),
        ("192.168.1.0/24", "10.0.0.0/8"),
        ("192.168.1.0/24", "172.16.201.0/24"),
        ("192.168.1.0/24", "100.64.0.0/10"),
        ("[172.16.201.0/24]", "[201.169.0.0/16]"),
        ("access:\n", "sites: {office: {lan: 192.168.1.0/24}}\naccess:\n"),
        ("access:\n", "sites: {office: {lan: 10.1.0.0/16}}\naccess:\n"),
    ],
    ids=str,
)
def test_prefixes_that_do_not_meet_may_overlap(change: tuple[str, str]) -> None:
    text, _ = spoil(change)
    assert problems(text) == []
    assert_hangs_together(make_plan(check(text), Path()))


def test_two_gateways_may_have_one_pool_and_their_vnets_one_prefix() -> None:
    first = SOUND[SOUND.index("vnets:\n") : SOUND.index("pki:")]
    second = first.replace("contoso:", "second:").replace("contoso\n", "second\n")
    second = second.replace("contoso-gw", "gw2").replace("app1", "app2")
    vnet, gateway = second.removeprefix("vnets:\n").split("gateways:\n")
    changes = ("vnets:\n", "vnets:\n" + vnet), ("gateways:\n", "gateways:\n" + gateway)
    text, _ = spoil(*changes, ("behind: home", "behind: home, gateway: gw2"))
    assert problems(text) == []
    assert_hangs_together(make_plan(check(text), Path()))


def test_two_routed_networks_may_not() -> None:
    routed = f"{HOME[:-1]}, nat: false}}"
    text, [place] = spoil(
        (f"home: {HOME}", f"other: {routed}\n  home: {{nat: false, lan: «192.168.1.0/24}}")
    )
    assert [found[:2] for found in problems(text)] == [place]


def test_the_21st_root_certificate_is_refused() -> None:
    for count in (20, 21):
        roots = [ROOTS.replace("name: r", f"name: r{number}") for number in range(count)]
        found = problems(spoil((ROOTS, "\n          ".join(roots)))[0])
        assert len(found) == count - 20
        assert all("20" in words for _, _, words in found)


def test_more_than_64_access_networks_are_refused() -> None:
    many = "".join(f"  n{number}: {{}}\n" for number in range(64))
    text, _ = spoil(("access:\n", "access:\n" + many))
    [(_, _, words)] = problems(text)
    assert words == "192.0.2.0/24 has room for 64, and there are 65; use fewer of them"


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text, places = spoil(
        ("story:", "«colour: red\nstory:"),
        ("app: 10.1.1.0/24", "app: «10.9.1.0/24"),
        ("serves: [http]}", "serves: [«htp]}\n      «app1: {}"),
        (POOL, "[«10.1.0.0/24]"),
        (HOME, f"{HOME[:-1]}, «nta: true}}"),
        (CONNECTS, "{connects: «nobody, over: «IKE}"),
        (REACHES, "{reaches: alice, host: app1, port: «none}\n  - {resolves: «ann, name: app1}"),
    )
    assert [found[:2] for found in problems(text)] == places


def test_a_mistake_in_an_entry_is_not_told_again_by_those_that_refer_to_it() -> None:
    text, [place] = spoil((f"home: {HOME}", "home: «nothing"))
    assert [found[:2] for found in problems(text)] == [place]


def test_an_entry_left_out_does_not_shift_the_lines_of_later_steps() -> None:
    text, places = spoil((CONNECTS, "«boo"), ("host: app1", "host: «app9"))
    assert [found[:2] for found in problems(text)] == places


def test_a_step_in_error_is_not_told_its_consequences_even_after_one_left_out() -> None:
    good = "{connects: alice}"
    text, places = spoil((CONNECTS, f"«boo\n  - {good}"), ("port: 80", "port: «none"))
    assert [found[:2] for found in problems(text)] == places


SITE_IN_V2 = "{lan: 10.2.9.0/24, connection: {to: contoso-gw, sharedKey: x}}"


SUBNETS = "{GatewaySubnet: 10.2.0.0/24}"


TWO_VNETS = (
    ("vnets:\n", f"vnets:\n  v2: {{addressSpace: [10.2.0.0/16], subnets: {SUBNETS}}}\n"),
    ("gateways:\n", "gateways:\n  gw2: {vnet: v2, properties: {sku: {name: Basic}}}\n"),
    ("behind: home", "behind: home, gateway: contoso-gw"),
)


def between(first: str, second: str, more: str = "") -> str:
    ends = f"virtualNetworkGateway1: {first}, virtualNetworkGateway2: {second}"
    return f"{{{ends}, sharedKey: x{more}}}"


@pytest.mark.parametrize(
    ("connections", "words"),
    [
        (f"  a: {between('contoso-gw', 'gw2')}\n", ""),
        (
            f"  a: {between('contoso-gw', '«gw3')}\n",
            "there is no gateway 'gw3'; did you mean 'gw2'",
        ),
        (f"  a: {between('gw2', '«gw2')}\n", "'gw2' twice: a gateway has no tunnel to itself"),
        (
            f"  a: {between('gw2', 'contoso-gw')}\n  b: {between('contoso-gw', '«gw2')}\n",
            "a already connects contoso-gw and gw2",
        ),
    ],
)
def test_two_gateways_are_connected_once(connections: str, words: str) -> None:
    text, places = spoil(*TWO_VNETS, ("access:\n", f"connections:\n{connections}access:\n"))
    found = problems(text)
    assert [row[:2] for row in found] == places
    assert all(row[2].startswith(words) for row in found)


@pytest.mark.parametrize(
    "overlap",
    [
        ("[10.2.0.0/16]", "[10.2.0.0/16, 10.1.9.0/24]"),
        ("[172.16.201.0/24]", "[10.2.9.0/24]"),
        ("access:\n", f"sites:\n  s: {SITE_IN_V2}\naccess:\n"),
    ],
    ids=["VNet", "pool", "site"],
)
def test_a_vnet_is_told_apart_from_those_it_is_connected_to(overlap: tuple[str, str]) -> None:
    alone, _ = spoil(*TWO_VNETS, overlap)
    assert problems(alone) == [], "nobody has routes to both"
    connection = f"connections:\n  a: {between('contoso-gw', 'gw2')}\n"
    text, _ = spoil(*TWO_VNETS, overlap, ("access:\n", f"{connection}access:\n"))
    [(*_, words)] = problems(text)
    assert "of the VNet 'v2': the VNet 'contoso' has routes to both" in words


def test_sites_and_vnets_share_the_number_of_tunnels() -> None:
    sites = "".join(
        f"  s{n}: {{lan: 10.{n}.0.0/24, connection: {{to: gw2, sharedKey: x}}}}\n"
        for n in range(10, 20)
    )
    connection = f"connections:\n  a: «{between('contoso-gw', 'gw2')}\n"
    text, [place] = spoil(*TWO_VNETS, ("access:\n", f"sites:\n{sites}{connection}access:\n"))
    [(*found, words)] = problems(text)
    assert tuple(found) == place
    assert words.startswith("the Basic SKU allows 10 site-to-site tunnels; VpnGw1 has 30, but a")


def test_a_connection_has_not_the_name_of_a_site() -> None:
    connection = f"connections:\n  «branch: {between('contoso-gw', 'gw2')}\n"
    site = "sites:\n  branch: {lan: 192.168.50.0/24}\n"
    text, [place] = spoil(*TWO_VNETS, ("access:\n", f"{site}{connection}access:\n"))
    assert [found[:2] for found in problems(text)] == [place]


def test_no_value_of_a_secret_is_shown() -> None:
    secret = "radiusServerSecret: [hunter2]\n        vpnClientProtocols:"
    text, _ = spoil(
        ("sku:", "x: [hunter2]\n      sku: {name: [hunter2]}\n      gatewayType:"),
        ("vpnClientProtocols:", secret),
    )
    found = problems(text)
    assert len(found) >= 3
    assert all("hunter2" not in words for _, _, words in found)


SCALE = ("    vnet: contoso\n", "    vnet: contoso\n    benchmarkScale: 0.1\n")


RATE = (HOME, "{lan: 192.168.1.0/24, rate: 20}")


LARGER = "{update: contoso-gw, properties: {sku: {name: VpnGw2}}}"


CREATED_LARGER = LARGER.replace("update", "create")


@pytest.mark.parametrize(
    ("spoiled", "step", "says"),
    [
        ([SCALE], "atLeast: «66", "65 Mbit/s can pass: contoso-gw is VpnGw1 at a scale of 0.1"),
        ([SCALE], "atLeast: 64", ""),
        ([RATE], "atLeast: «21", "20 Mbit/s can pass: the rate of home"),
        ([RATE], "atLeast: 39, direction: both", ""),
        ([RATE], "atLeast: «41, direction: both", "40 Mbit/s can pass: the rate of home"),
    ],
)
def test_throughput_that_no_rate_lets_pass_is_refused(
    spoiled: list[tuple[str, str]], step: str, says: str
) -> None:
    text, places = spoil(*spoiled, (REACHES, f"{{throughput: alice, host: app1, {step}}}"))
    found = problems(text)
    assert [list(place[:2]) for place in found] == [list(place) for place in places]
    assert all(words.startswith(f"no more than {says}") for *_, words in found)


@pytest.mark.parametrize("change", [LARGER, f"{{delete: contoso-gw}}\n  - {CREATED_LARGER}"])
def test_a_larger_sku_later_lets_more_pass(change: str) -> None:
    step = "{throughput: alice, host: app1, atLeast: 900}"
    text, _ = spoil((REACHES, f"{change}\n  - {step}"))
    assert problems(text) == []


def test_what_does_not_pass_the_gateway_is_not_held_to_its_rate() -> None:
    other = "{app2: {subnet: app}, app1: {subnet: app, serves: [http]}}"
    text, _ = spoil(
        ("    hosts:\n      app1: {subnet: app, serves: [http]}\n", f"    hosts: {other}\n"),
        SCALE,
        (REACHES, "{throughput: app2, host: app1, atLeast: 900}"),
    )
    assert problems(text) == []
