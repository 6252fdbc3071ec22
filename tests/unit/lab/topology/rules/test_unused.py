"""What changes nothing is refused, each with a remedy that works when it is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.lab.topology import spoiling
from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import problems, spoil

CASES = yaml.safe_load(Path(__file__).with_name("unused.yaml").read_text())


def spoiled(case: dict[str, Any], part: str) -> tuple[str, list[tuple[int, int]]]:
    also = [tuple(case["also"])] if "also" in case else []
    return spoil((case["part"], case[part]), *also, text=getattr(spoiling, case["in"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_it_is_refused_at_its_place_and_nowhere_else(case: dict[str, Any]) -> None:
    text, places = spoiled(case, "with")
    found = problems(text)
    assert [(line, column) for line, column, _ in found] == places, found
    assert found[0][2].startswith(case["says"])


@pytest.mark.parametrize(
    "case", [case for case in CASES if "right" in case], ids=lambda case: case["case"]
)
def test_the_remedy_helps_and_what_is_accepted_can_be_planned(case: dict[str, Any]) -> None:
    text, _ = spoiled(case, "right")
    assert problems(text) == []
    plan_of(text)


def test_the_sound_topology_with_passwords_is_accepted() -> None:
    assert problems(spoiling.RADIUS) == []
