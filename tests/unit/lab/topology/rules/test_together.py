"""One fault does not hide another: all that is wrong with a file is told at once."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.lab.topology.spoiling import RADIUS, SOUND, problems, spoil

CASES = {
    case["case"]: case
    for case in yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text())
}
CHANGES = {"an update that Azure refuses"}
"""What a document becomes by a change cannot be told, if the document is not known."""
HIDES: dict[str, set[str]] = {
    "unknown key in Azure's document": CHANGES,
    "a policy with an unknown word": CHANGES,
    "unknown SKU": {
        *CHANGES,
        "a policy that point-to-site has not",  # Basic has others
        "more throughput than the SKU's",
    },
    "unknown operating system": {
        "a protocol the system lacks",
        "an order the system does not have",
    },
    "missing key": set(),
    "a scale of zero": set(),
    "a gateway's certificate whose name is none": set(),
    "a newline in a common name": set(),
}
"""A fault, and those that nobody can tell before it is mended."""


def _part(case: dict[str, Any]) -> range:
    begin = SOUND.index(case["part"])
    return range(begin, begin + len(case["part"]))


@pytest.mark.parametrize("fault", HIDES)
def test_a_fault_hides_only_what_depends_on_it(fault: str) -> None:
    first = CASES[fault]
    told, hidden = 0, set()
    for name, case in CASES.items():
        one, other = _part(first), _part(case)
        if one.start < other.stop and other.start < one.stop:
            continue
        text, _ = spoil((first["part"], first["with"]), (case["part"], case["with"]))
        words = [words for *_, words in problems(text)]
        assert any(said.startswith(first["says"]) for said in words), name
        if any(said.startswith(case["says"]) for said in words):
            told += 1
        else:
            hidden.add(name)
    assert hidden == HIDES[fault]
    assert told > 50


SITE = {
    "a key": ('sharedKey: "key of gateway and site"', "sharedKey: ''", "a pre-shared key is"),
    "a group": ("group: vpn,", "group: nobody,", "no user of the directory is in a group"),
    "who denies": ("denied: [bob]", "denied: [rob]", "the server has no user 'rob'"),
    "an address": ("address: 192.168.50.5", "address: 192.168.51.5", "192.168.51.5 cannot be used"),
    "authentication": ("[Radius]", "[Radius, Certificate]", "certificate authentication needs"),
    "a pool": ("[172.16.201.0/24]", "[10.1.5.0/24]", "10.1.5.0/24 overlaps"),
    "a network": ("behind: home", "behind: hom", "there is no access network 'hom'"),
}


@pytest.mark.parametrize(("one", "other"), list(combinations(SITE, 2)))
def test_two_faults_around_a_radius_server_are_both_told(one: str, other: str) -> None:
    text, _ = spoil(SITE[one][:2], SITE[other][:2], text=RADIUS)
    words = [words for *_, words in problems(text)]
    for fault in (one, other):
        assert any(said.startswith(SITE[fault][2]) for said in words), (fault, words)


def test_a_missing_word_is_not_told_its_consequences() -> None:
    """Whatever `os` is: neither can this protocol be judged, nor what is given beside it."""
    options = "os: «windows12, version: '99', sstpClient: sstpc, updates: [KB1],"
    text, [place] = spoil(("os: windows10,", options), ("over: IkeV2", "over: SSTP"))
    found = problems(text)
    assert place in [row[:2] for row in found]
    assert not [words for *_, words in found if "dials" in words]
    assert not [words for *_, words in found if "has no version" in words]


def test_a_connection_without_its_key_is_a_connection() -> None:
    """Its site's LAN is told to overlap the VNet, and nobody is told to connect it."""
    connection = "connection: {to: contoso-gw, sharedKey: «''}"
    sites = f"sites:\n  office: {{lan: «10.1.9.0/24, {connection}}}\naccess:\n"
    text, places = spoil(("access:\n", sites))
    assert [row[:2] for row in problems(text)] == places


def test_what_is_wrong_with_a_change_is_told_whatever_it_changes() -> None:
    change = "{update: contoso-gw, properties: {sku: {name: «VpnGw9}}}"
    text, places = spoil(
        ("sku: {name: VpnGw1}", "sku: {name: «VpnGw8}"),
        ("- {reaches: alice, host: app1, port: 80}", f"- {change}"),
    )
    assert [row[:2] for row in problems(text)] == places


def test_a_client_that_dials_nothing_is_told_so() -> None:
    """macOS before 10.11 has no client of Azure's."""
    offer = "ike: «{esp: [aes256gcm16]}"
    text, [place] = spoil(
        ("os: windows10,", f"os: macos, version: '10.10', {offer},"),
        ("- {connects: alice, over: IkeV2}\n", ""),
    )
    words = "'alice' does not dial IkeV2, so ike has no effect; it dials nothing; leave ike out"
    assert (*place, words) in problems(text)
