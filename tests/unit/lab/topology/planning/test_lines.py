"""The rates of access networks and gateways in the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.topology.planning.plan import Line, NodePlan
from lab.topology.planning.planner import make_plan
from tests.unit.lab.topology.spoiling import check, spoil

HOME = "{lan: 192.168.1.0/24}"
REACHES = "{reaches: alice, host: app1, port: 80}"


def plan(*changes: tuple[str, str]) -> Any:
    """The sound topology's, with changes."""
    return make_plan(check(spoil(*changes)[0]), Path())


def node(name: str, *changes: tuple[str, str]) -> NodePlan:
    """One node of it."""
    (found,) = (one for one in plan(*changes).nodes if one.name == name)
    assert isinstance(found, NodePlan)
    return found


def home(keys: str) -> NodePlan:
    """The access network with these keys."""
    return node("home", (HOME, f"{{lan: 192.168.1.0/24, {keys}}}"))


def test_without_keys_a_line_is_as_fast_as_the_machine() -> None:
    assert node("home").lines == ()
    assert node("home").shapers == ()


@pytest.mark.parametrize(
    ("keys", "mbps", "latency", "shapers"),
    [
        ("rate: 20", 20.0, None, ("tbf",)),
        ("latency: 30ms", None, 0.03, ("netem",)),
        ("rate: 0.5, latency: 1s", 0.5, 1.0, ("tbf", "netem")),
    ],
)
def test_each_way_has_the_rate_and_the_latency(
    keys: str, mbps: float | None, latency: float | None, shapers: tuple[str, ...]
) -> None:
    access = home(keys)
    assert access.lines == (Line("wan", mbps, latency), Line("lan", mbps, latency))
    assert access.shapers == shapers


@pytest.mark.parametrize(("loss", "of_10000"), [("1%", 100), ("0.01%", 1), ("33.3%", 3330)])
def test_loss_is_a_share_of_what_is_forwarded(loss: str, of_10000: int) -> None:
    rules = home(f"nat: false, loss: {loss}").nftables
    assert rules is not None
    assert (
        f"hook forward priority -300; policy accept;\n    numgen random mod 10000 < {of_10000} drop"
        in rules
    )
    assert "masquerade" not in rules


def test_the_scale_is_in_the_placement_and_needs_the_shaper() -> None:
    change = ("    vnet: contoso\n", "    vnet: contoso\n    benchmarkScale: 0.25\n")
    (gateway,) = plan(change).gateways
    assert gateway.placement.benchmarkScale == 0.25
    assert node("contoso-gw", change).shapers == ("aggregate",)
    assert node("contoso-gw").shapers == ()


def test_a_measurement_needs_the_gateways_shaper() -> None:
    step = (REACHES, "{throughput: alice, host: app1, atLeast: 1}")
    assert node("contoso-gw", step).shapers == ("aggregate",)
