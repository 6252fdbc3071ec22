"""References in other letters than the names that they refer to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.topology.planning.planner import make_plan
from lab.topology.planning.spelling import respelled, respelled_step
from tests.unit.lab.topology.spoiling import SOUND, check, problems, spoil

REFERENCES = {
    "a gateway's VNet": ("vnet: contoso\n", "vnet: CONTOSO\n"),
    "a host's subnet": ("{subnet: app,", "{subnet: APP,"),
    "a client's network": ("behind: home", "behind: HOME"),
    "a client's gateway": ("behind: home", "behind: home, gateway: Contoso-GW"),
    "a client's issuer": ("{issuer: contoso-root}", "{issuer: Contoso-Root}"),
    "a placeholder": ("${contoso-root.publicCertData}", "${Contoso-ROOT.publicCertData}"),
    "a step's client": ("{connects: alice,", "{connects: ALICE,"),
    "a step's host": ("host: app1", "host: APP1"),
    "an intermediate's issuer": (
        "  contoso-root: {}",
        "  contoso-root: {}\n  lower: {issuer: CONTOSO-root}",
    ),
}


@pytest.mark.parametrize("change", REFERENCES.values(), ids=REFERENCES)
def test_a_reference_compares_without_case(change: tuple[str, str]) -> None:
    text, _ = spoil(change)
    assert problems(text) == []
    make_plan(check(text), Path())


def test_gateways_and_steps_of_a_connection_compare_without_case() -> None:
    steps = (
        "{tunnel: BOTH, is: Connected}",
        "{fault: s2s-cut, at: both}",
        "{delete: GW2}",
        "{create: gW2}",
    )
    ends = "virtualNetworkGateway1: CONTOSO-gw, virtualNetworkGateway2: GW2"
    vnet = "{addressSpace: [10.2.0.0/16], subnets: {GatewaySubnet: 10.2.0.0/24}}"
    text, _ = spoil(
        ("vnets:\n", f"vnets:\n  v2: {vnet}\n"),
        ("gateways:\n", "gateways:\n  gw2: {vnet: v2, properties: {sku: {name: VpnGw1}}}\n"),
        ("behind: home", "behind: home, gateway: contoso-gw"),
        ("pki:\n", f"connections:\n  Both: {{{ends}, sharedKey: x}}\npki:\n"),
        ("{reaches: alice, host: app1, port: 80}", "\n  - ".join(steps)),
    )
    assert problems(text) == []
    plan = make_plan(check(text), Path())
    assert plan.gateways_of("Both") == ("gw2", "contoso-gw")


@pytest.mark.parametrize(
    "change",
    [
        ("  home:", "  Contoso: {}\n  home:"),
        ("  contoso-root: {}", "  contoso-root: {}\n  ALICE: {}"),
        ("app: 10.1.1.0/24", "app: 10.1.1.0/24, App: 10.1.2.0/24"),
        ("app1: {subnet", "App1: {subnet: app}\n      app1: {subnet"),
    ],
    ids=str,
)
def test_names_that_differ_by_case_only_are_refused(change: tuple[str, str]) -> None:
    [(_, _, words)] = problems(spoil(change)[0])
    assert "is used already as '" in words
    assert words.endswith("choose another name: case makes no difference")


@pytest.mark.parametrize("name", ["VNet1GW", "TestRG1_vnet.eastus", "a..b_", "A" * 80, "1"])
def test_azures_names_are_names(name: str) -> None:
    text = SOUND.replace("contoso-gw", name).replace("contoso-root", f"{name[:60]}-1")
    assert problems(text) == []
    make_plan(check(text), Path())


@pytest.mark.parametrize(
    "name", ["..", "a/b", "_a", "a.", "a-", "-a", "A" * 81, "a b", "ä", "a\\b"]
)
def test_other_names_are_refused(name: str) -> None:
    [(_, _, words)] = problems(SOUND.replace("contoso-gw", f'"{name}"'))
    assert "cannot be a name: at most 80 letters, digits, '_', '.' and '-'" in words


@pytest.mark.parametrize("part", ["pki", "clients"])
def test_a_certificate_of_a_long_name_needs_a_subject(part: str) -> None:
    name = {"pki": "contoso-root", "clients": "alice"}[part]
    [(_, _, words)] = problems(SOUND.replace(name, "a" * 65))
    assert "has 65 characters, and a common name has at most 64; add a shorter `subject`" in words
    assert problems(SOUND.replace(name, "a" * 64)) == []


STEPS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"connects": "ALICE", "over": "IkeV2"}, {"connects": "Alice", "over": "IkeV2"}),
    ({"approve": "ALICE"}, {"approve": "ALICE"}),
    ({"fault": "S2S-CUT", "at": "OFFICE"}, {"fault": "S2S-CUT", "at": "Office"}),
    ({"reaches": "alice", "host": "app1"}, {"reaches": "Alice", "host": "APP1"}),
    ({"reaches": "nobody", "address": "app1"}, {"reaches": "nobody", "address": "app1"}),
    ({"unknown": "alice"}, {"unknown": "alice"}),
]


@pytest.mark.parametrize(("step", "right"), STEPS, ids=str)
def test_steps_name_nodes_as_they_are_spelled(step: dict[str, Any], right: dict[str, Any]) -> None:
    nodes = {"alice": "Alice", "office": "Office", "app1": "APP1", "s2s-cut": "s2s-cut"}
    assert respelled_step(step, nodes) == right


def test_junk_stays_as_it_is() -> None:
    junk = {"vnets": [1], "clients": {"a": None}, "expect": [3, {"connects": 4}], "faults": "x"}
    assert respelled(junk) == junk
