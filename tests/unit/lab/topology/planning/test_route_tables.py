"""User-defined routes: what the VNet's router is told."""

from __future__ import annotations

import pytest

from tests.unit.lab.topology.plans import plan_of
from tests.unit.lab.topology.spoiling import spoil

GATEWAY = "10.1.255.4"


def tables(route: str) -> dict[str, tuple[str, dict[str, tuple[str, str]]]]:
    """By subnet: the interface, and kind and next hop by prefix."""
    table = f"    routeTables: {{app: {{routes: [{{name: r, properties: {route}}}]}}}}\n"
    text, _ = spoil(("    hosts:\n", f"{table}    hosts:\n"))
    [router] = [node for node in plan_of(text).nodes if node.name == "contoso"]
    return {
        one.subnet: (
            one.interface,
            {route.destination: (route.kind, route.via) for route in one.routes},
        )
        for one in router.route_tables
    }


@pytest.mark.parametrize(
    ("hop", "becomes"),
    [
        ("None", ("blackhole", "")),
        ("VnetLocal", ("throw", "")),
        ("VirtualNetworkGateway", ("via", GATEWAY)),
        ("VirtualAppliance, nextHopIpAddress: 10.1.1.9", ("via", "10.1.1.9")),
    ],
)
def test_a_route_stands_before_azures_own(hop: str, becomes: tuple[str, str]) -> None:
    found = tables(f"{{addressPrefix: 10.9.0.0/16, nextHopType: {hop}}}")
    assert found == {
        "app": (
            "sub1",
            {
                "10.9.0.0/16": becomes,
                "10.1.0.0/16": ("throw", ""),
                "172.16.201.0/24": ("throw", ""),
            },
        )
    }


def test_of_equal_prefixes_the_users_decides() -> None:
    [(_, routes)] = tables("{addressPrefix: 172.16.201.0/24, nextHopType: None}").values()
    assert routes["172.16.201.0/24"] == ("blackhole", "")


def test_without_routes_there_is_no_table() -> None:
    [router] = [node for node in plan_of().nodes if node.name == "contoso"]
    assert router.route_tables == ()
