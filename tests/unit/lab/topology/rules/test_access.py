"""What access networks may not say is refused at its place, and no password is in the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import problems, spoil

CASES = yaml.safe_load(Path(__file__).with_name("access.yaml").read_text())
ACCEPTED = (
    "{allow: [tcp], deny: [tcp/25, tcp/443 to 203.0.113.2, 203.0.113.77]}",
    "{allow: [tcp/443], deny: [tcp to 203.0.113.2], reject: [udp]}",
    "{proxy: {users: {a: hunter2}, denyHosts: [contoso-gw]}, deny: [tcp/25]}",
    "{deny: [tcp/443 to 203.0.113.0/24, tcp/80 to 203.0.113.2]}",
    "{nat: false, allow: [udp], udpTimeout: 1m}",
)


def spoiled(case: dict[str, Any], part: str) -> tuple[str, list[tuple[int, int]]]:
    also = [tuple(case["also"])] if "also" in case else []
    return spoil((case["part"], case[part]), *also)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_it_is_refused_at_its_place_and_nowhere_else(case: dict[str, Any]) -> None:
    text, places = spoiled(case, "with")
    found = problems(text)
    assert [(line, column) for line, column, _ in found] == places, found
    assert found[0][2].startswith(case["says"])
    assert "hunter2" not in found[0][2]


@pytest.mark.parametrize(
    "case", [case for case in CASES if "right" in case], ids=lambda case: case["case"]
)
def test_the_remedy_helps(case: dict[str, Any]) -> None:
    text, _ = spoiled(case, "right")
    assert problems(text) == []
    plan_of(text)


@pytest.mark.parametrize("network", ACCEPTED)
def test_what_has_an_effect_is_accepted(network: str) -> None:
    text, _ = spoil(("{lan: 192.168.1.0/24}", network))
    assert problems(text) == []
    plan_of(text)
