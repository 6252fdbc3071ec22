"""Rules over a document of which parts are unknown."""

from __future__ import annotations

import pytest

from gateway.arm.resource import VirtualNetworkGateway
from gateway.arm.rules.rulebook import Network, Path, violations

CLIENT = "vpnClientConfiguration"
DOCUMENT = {
    "name": "gw",
    "properties": {
        "sku": {"name": "Basic"},
        CLIENT: {
            "vpnClientAddressPool": {"addressPrefixes": ["10.1.2.0/24"]},
            "vpnClientProtocols": ["IkeV2"],
            "vpnAuthenticationTypes": ["Certificate"],
        },
    },
}
POOL, SIZE, ROOTS = "overlaps", "does not support IkeV2", "root certificate"


@pytest.mark.parametrize(
    ("unknown", "told"),
    [
        ((), {POOL, SIZE, ROOTS}),
        (("customRoutes", "addressPrefixes", 0), {POOL, SIZE, ROOTS}),
        ((CLIENT, "colour"), {POOL, SIZE, ROOTS}),
        ((CLIENT, "vpnClientIpsecPolicies", 0, "dhGroup"), {POOL, SIZE, ROOTS}),
        (("sku", "name"), {POOL, ROOTS}),
        ((CLIENT, "vpnClientProtocols", 1), {POOL, ROOTS}),
        ((CLIENT, "vpnClientRootCertificates", 0), {POOL, SIZE}),
        ((CLIENT, "vpnClientAddressPool"), {SIZE, ROOTS}),
        ((CLIENT,), set()),
    ],
)
def test_a_rule_that_looks_at_an_unknown_part_tells_nothing(unknown: Path, told: set[str]) -> None:
    gateway = VirtualNetworkGateway.model_validate(DOCUMENT)
    parts = frozenset((unknown,) if unknown else ())
    found = violations(gateway, Network(("10.1.0.0/16",)), unknown=parts)
    said = [one.message for one in found]
    assert {word for word in (POOL, SIZE, ROOTS) if any(word in text for text in said)} == told
