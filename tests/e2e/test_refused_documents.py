"""The running gateway refuses what its size, its type or the deployment model does not have, and a
document without a root: nothing of it comes to be, and a sound one is taken afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.roles.gateway import GatewayRefusedError
from tests.rigs.gateway_bench import Bench, on_a_gateway

RADIUS = {
    "vpnAuthenticationTypes": ["Radius"],
    "radiusServerAddress": "10.1.1.9",
    "radiusServerSecret": "secret of the test",
    "vpnClientRootCertificates": [],
}
STATIC = {"vpnType": "PolicyBased"}
BGP = {"enableBgp": True}
Case = tuple[str, str, dict[str, Any], dict[str, Any], str]
"""SKU and protocol, changes of `properties` and of `vpnClientConfiguration`, words of the
refusal."""
LACKING: dict[str, tuple[Case, ...]] = {
    "ResourceManager": (
        ("Basic", "IkeV2", {}, {}, "the Basic SKU does not support IkeV2"),
        ("Basic", "OpenVPN", {}, {}, "the Basic SKU does not support OpenVPN"),
        ("Basic", "SSTP", {}, RADIUS, "the Basic SKU does not support RADIUS"),
        ("Basic", "SSTP", BGP, {}, "the Basic SKU does not support BGP"),
        ("VpnGw1", "OpenVPN", {}, RADIUS, "OpenVPN is not supported with RADIUS"),
        ("VpnGw1", "SSTP", STATIC, {}, "PolicyBased"),
        ("VpnGw1", "IkeV2", {}, {"roots": ()}, "needs a root"),
    ),
    "Classic": (
        ("Basic", "IkeV2", {}, {}, "the classic deployment model does not support IkeV2"),
        ("Basic", "OpenVPN", {}, {}, "the classic deployment model does not support OpenVPN"),
        ("Standard", "SSTP", {}, RADIUS, "the classic deployment model does not support RADIUS"),
        ("Basic", "SSTP", STATIC, {}, "a dynamic gateway"),
        *(
            (name, "SSTP", {}, {}, f"does not support the {name} SKU")
            for name in ("VpnGw1", "VpnGw2", "VpnGw3")
        ),
    ),
}


@pytest.mark.parametrize("model", LACKING)
def test_what_is_lacking_is_refused(tmp_path: Path, model: str) -> None:
    async def test(bench: Bench) -> None:
        for sku, protocol, properties, client, words in LACKING[model]:
            document = bench.document(protocol, **client)
            document["properties"] |= {"sku": {"name": sku}} | properties
            with pytest.raises(GatewayRefusedError) as refused:
                await bench.gateway.put(document)
            assert words in str(refused.value), (sku, protocol)
            assert not await bench.gateway.exists()

        sound = bench.document("SSTP")
        sound["properties"]["sku"]["name"] = "Basic"
        await bench.gateway.put(sound)
        assert await bench.state() == "Succeeded"

        sound["properties"]["sku"]["name"] = "VpnGw1"
        with pytest.raises(GatewayRefusedError, match="delete the gateway and create it anew"):
            await bench.gateway.put(sound)
        assert (await bench.gateway.get())["properties"]["sku"]["name"] == "Basic"

    on_a_gateway(tmp_path, test, deploymentModel=model)
