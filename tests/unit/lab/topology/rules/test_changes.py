"""Gateways that are changed, deleted and created anew: a step is judged by what is there then."""

from __future__ import annotations

import pytest

from tests.unit.lab.topology.spoiling import problems, spoil

REACHES = "{reaches: alice, host: app1, port: 80}"
CONNECTS = "{connects: alice, over: IkeV2}"


def test_an_update_is_merged_into_what_earlier_updates_left() -> None:
    first = "{update: contoso-gw, properties: {vpnClientConfiguration: null}}"
    second = (
        "{update: contoso-gw, properties: {vpnClientConfiguration: {vpnClientAddressPool: "
        "{addressPrefixes: [172.16.9.0/24]}, vpnClientProtocols: [IkeV2], "
        "vpnAuthenticationTypes: [Certificate]}}}"
    )
    assert problems(spoil((REACHES, second))[0]) == []
    [(line, _, words)] = problems(spoil((REACHES, f"{first}\n  - {second}"))[0])
    assert line == 29
    assert "root certificate" in words


def to_basic(change: str) -> tuple[tuple[str, str], ...]:
    """A gateway of the Basic SKU, and a step in place of the last one."""
    return (
        ("sku: {name: VpnGw1}", "sku: {name: Basic}"),
        ("[IkeV2, OpenVPN]", "[SSTP]"),
        (CONNECTS, "{connects: alice, over: SSTP}"),
        (REACHES, change),
    )


@pytest.mark.parametrize("size", ["VpnGw1", "VpnGw3AZ", "Standard"])
def test_basic_is_not_resized_by_an_update(size: str) -> None:
    update = f"{{update: contoso-gw, properties: {{sku: {{name: «{size}}}}}}}"
    text, [place] = spoil(*to_basic(update))
    [(*found, words)] = problems(text)
    assert tuple(found) == place
    assert words.startswith(f"a gateway of the Basic SKU cannot be resized to {size}; delete the")


def test_nothing_is_resized_to_basic() -> None:
    only_sstp = "vpnClientConfiguration: {vpnClientProtocols: [SSTP]}"
    update = f"{{update: contoso-gw, properties: {{sku: {{name: «Basic}}, {only_sstp}}}}}"
    text, [place] = spoil((REACHES, update))
    assert [found[:2] for found in problems(text)] == [place]


def test_a_refused_update_changes_nothing_for_later_ones() -> None:
    bad = "{update: contoso-gw, properties: {sku: {name: «VpnGw2}}}"
    good = "{update: contoso-gw, properties: {sku: {name: Basic}}}"
    text, [place] = spoil(*to_basic(f"{bad}\n  - {good}"))
    assert [found[:2] for found in problems(text)] == [place]


def test_a_change_has_no_ignore_and_is_not_told_of_it() -> None:
    text, [place] = spoil((REACHES, "{update: contoso-gw, properties: {activeActive: «true}}"))
    [(*found, words)] = problems(text)
    assert (tuple(found), "ignore" in words) == (place, False)


def test_a_deleted_gateway_is_created_with_another_size() -> None:
    create = "{create: contoso-gw, properties: {sku: {name: VpnGw2}}}"
    assert problems(spoil(*to_basic(f"{{delete: contoso-gw}}\n  - {create}"))[0]) == []


def test_what_is_created_is_judged_at_its_place() -> None:
    create = "{create: contoso-gw, properties: {vpnClientConfiguration: {vpnClientProtocols: «[]}}}"
    text, [place] = spoil((REACHES, f"{{delete: contoso-gw}}\n  - {create}"))
    assert [found[:2] for found in problems(text)] == [place]


@pytest.mark.parametrize(
    "step",
    [
        "{update: «contoso-gw, properties: {sku: {name: VpnGw2}}}",
        "{delete: «contoso-gw}",
        "{connects: «alice}",
        "{revoke: «alice}",
        "{disconnect: «alice}",
    ],
)
def test_a_deleted_gateway_takes_part_in_nothing(step: str) -> None:
    text, [place] = spoil((REACHES, f"{{delete: contoso-gw}}\n  - {step}"))
    [(*found, words)] = problems(text)
    assert tuple(found) == place
    assert words == ("the gateway 'contoso-gw' is deleted by then; `create: contoso-gw` before it")


def test_a_gateway_that_exists_is_not_created() -> None:
    text, [place] = spoil((REACHES, "{create: «contoso-gw}"))
    [(*found, words)] = problems(text)
    assert (tuple(found), "exists by then" in words) == (place, True)


def test_a_change_has_to_suit_the_sites_that_are_connected() -> None:
    sites = "".join(
        f"  s{n}: {{lan: 10.{n}.0.0/24, connection: {{to: contoso-gw, sharedKey: x}}}}\n"
        for n in range(10, 21)
    )
    pool = "{vpnClientConfiguration: {vpnClientAddressPool: {addressPrefixes: [«10.12.0.0/24]}}}"
    sstp = "vpnClientConfiguration: {vpnClientProtocols: [SSTP]}"
    changes = (
        f"{{update: contoso-gw, properties: {pool}}}\n  - {{delete: contoso-gw}}\n"
        f"  - {{create: contoso-gw, properties: {{sku: {{name: «Basic}}, {sstp}}}}}"
    )
    text, places = spoil(("access:\n", f"sites:\n{sites}access:\n"), (REACHES, changes))
    assert [found[:2] for found in problems(text)] == places
