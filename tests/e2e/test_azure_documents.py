"""A gateway from what Azure's tools print: certificate users connect, those of Entra ID do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.roles.gateway import GatewayRefusedError
from lab.runtime.lab import Lab
from tests.rigs.azure_documents import SHAPES, get
from tests.rigs.whole_lab import in_a_lab
from tests.unit.lab.topology.spoiling import SOUND

PROPERTIES = SOUND[SOUND.index("    properties:\n") : SOUND.index("pki:\n")]
ROOT = [{"name": "r", "properties": {"publicCertData": "${contoso-root.publicCertData}"}}]
STEPS = """\
  bob: {os: windows11, behind: home}
expect:
  - {connects: alice, over: OpenVPN}
  - {refused: bob, over: OpenVPN, because: no-certificate}
  - {reaches: alice, host: app1, port: 80}
"""


def topology(document: Any) -> str:
    lines = (
        "ignore: [vpnClientConfiguration.aadTenant, natRules]",
        f"properties: {json.dumps(document)}",
    )
    text = SOUND.replace(PROPERTIES, "".join(f"    {line}\n" for line in lines))
    return text[: text.index("expect:")].replace("os: windows10", "os: linux") + STEPS


@pytest.mark.parametrize("shape", ["az", "PowerShell"])
def test_what_azures_tools_print_is_a_gateway(shape: str, tmp_path: Path) -> None:
    document = get(
        {"natRules": [{"name": "n"}]},
        vpnClientProtocols=["openvpn"],
        vpnAuthenticationTypes=["AAD", "Certificate"],
        vpnClientRootCertificates=ROOT,
        vpnClientRevokedCertificates=[],
        aadTenant="https://login.microsoftonline.com/t/",
        aadAudience="a",
        aadIssuer="https://sts.windows.net/t/",
    )

    async def there(lab: Lab) -> None:
        assert await lab.run(lab.plan.steps, lambda _event: None)
        gateway = lab.gateways["contoso-gw"]
        shown = await gateway.get()
        client = shown["properties"]["vpnClientConfiguration"]
        assert client["vpnAuthenticationTypes"] == ["Certificate"]
        assert client["vpnClientProtocols"] == ["OpenVPN"]
        await gateway.put(SHAPES[shape](shown))
        assert await gateway.get() == shown
        with pytest.raises(GatewayRefusedError, match="NAT rules"):
            await gateway.put(SHAPES[shape](shown | {"properties": document["properties"]}))
        assert await gateway.get() == shown

    in_a_lab(tmp_path, topology(SHAPES[shape](document)), there)
