"""Host names of nodes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lab.topology.model.values import parse_name
from lab.topology.planning.host_names import LONGEST, host_names

LETTERS = "aB1-_."
NAMES = st.text(LETTERS, min_size=1, max_size=80).filter(
    lambda name: re.fullmatch(r"[aB1]([aB1_.-]*[aB1_])?", name) is not None
)


def test_a_name_that_is_a_label_is_the_host_name() -> None:
    names = ["app1", "DESKTOP-4F2K1", "1234", "a" * LONGEST]
    assert host_names(names) == dict(zip(names, names, strict=True))


def test_another_name_becomes_a_label_that_nobody_has() -> None:
    assert host_names(["VNet1_Hub", "a..b_", "vnet1-hub", "VNet1.Hub"]) == {
        "VNet1_Hub": "VNet1-Hub-2",
        "a..b_": "a-b",
        "vnet1-hub": "vnet1-hub",
        "VNet1.Hub": "VNet1-Hub-3",
    }


def test_long_names_alike_have_short_host_names() -> None:
    one, two = f"{'a' * 79}1", f"{'a' * 79}2"
    assert host_names([one, two]) == {one: "a" * 46, two: f"{'a' * 46}-2"}


@given(st.lists(NAMES, unique_by=str.casefold, max_size=30))
def test_host_names_are_labels_and_differ(names: list[str]) -> None:
    assert [parse_name(name) for name in names] == names
    found = host_names(names)
    assert list(found) != [] or not names
    assert len({name.casefold() for name in found.values()}) == len(names)
    label = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
    assert all(label.fullmatch(name) and len(name) <= LONGEST for name in found.values())
