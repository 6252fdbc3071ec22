"""The operator's hold on a gateway, and what is made for the programs of nodes, which may not make
it themselves."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import LabError
from lab.roles import gateway
from lab.roles.gateway import KEPT, UnixGateway

SOURCE = Path(__file__).parents[4]
STARTED = re.compile(r'"-m", "((?:gateway|lab|radius)[\w.]*)"')
NOT_IN_NODES = {"lab.pki.stock", "lab.cli.main"}


def test_the_bytecode_of_every_program_that_nodes_run() -> None:
    files = [path for package in ("lab", "gateway") for path in (SOURCE / package).rglob("*.py")]
    started = {name for path in files for name in STARTED.findall(path.read_text())}
    assert {"gateway", "radius.push_proxy", "lab.clients.sstp_python"} <= started
    places = [SOURCE / package for package in gateway.PACKAGES]
    assert all(place.is_dir() for place in places)
    missing = [
        name
        for name in started - NOT_IN_NODES
        if not any((SOURCE / name.replace(".", "/")).is_relative_to(place) for place in places)
    ]
    assert missing == []


GATEWAY = {
    "name": "gw",
    "properties": {
        "sku": {"name": "VpnGw1"},
        "vpnClientConfiguration": {
            "vpnClientAddressPool": {"addressPrefixes": ["172.16.201.0/24"]},
            "vpnClientProtocols": ["IkeV2"],
            "vpnAuthenticationTypes": ["Radius"],
            "radiusServerAddress": "10.1.1.9",
            "radiusServerSecret": "shared",
        },
    },
}


def connection(name: str, key: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "properties": {
            "connectionType": "IPsec",
            "virtualNetworkGateway1": {"id": "gw"},
            "localNetworkGateway2": {"id": name},
            **({"sharedKey": key} if key else {}),
        },
    }


def local(name: str) -> dict[str, Any]:
    prefixes = {"addressPrefixes": ["192.168.60.0/24"]}
    properties = {"localNetworkAddressSpace": prefixes, "gatewayIpAddress": "198.51.100.7"}
    return {"name": name, "properties": properties}


class Played(UnixGateway):
    """What it was sent; every answer is `status`."""

    def __init__(self) -> None:
        async def start(_handle: UnixGateway) -> None:
            self.sent.clear()

        async def reboot() -> None:
            self.rows.clear()

        node: Any = SimpleNamespace(name="gw", run_directory=Path("/nowhere"), reboot=reboot)
        super().__init__(node, start)
        self.sent: list[tuple[str, str, Any]] = []
        self.status = 200
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def _exchange(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        self.sent.append((method, path, copy.deepcopy(body)))
        error = {"error": {"code": "x", "message": "no"}}
        answer = {"value": self.rows.get(path, [])} if self.status < 300 else error
        return self.status, json.dumps(answer).encode()

    async def again(self) -> list[tuple[str, Any]]:
        """What a restart sends: paths and bodies."""
        await self.begin()
        assert {method for method, _, _ in self.sent} <= {"PUT"}
        return [(path, body) for _, path, body in self.sent]


async def test_a_restart_sends_the_last_of_each_document() -> None:
    handle = Played()
    for number in range(100):
        size = {"sku": {"name": f"VpnGw{1 + number % 3}"}}
        await handle.put(GATEWAY | {"properties": GATEWAY["properties"] | size})  # type: ignore[operator]
    for name in ("branch", "office", "gone"):
        await handle.put_local_network_gateway(local(name))
        await handle.put_connection(connection(name, f"key of {name}"))
    await handle.put_connection(connection("branch", "another"))
    await handle.delete("connections", "gone")
    await handle.delete("localNetworkGateways", "gone")
    for _ in range(3):
        await handle.hold("IkeV2")
        await handle.release("IkeV2")
    await handle.hold("IkeV2")
    for _ in range(2):  # one after the other
        again = await handle.again()
        assert [path for path, _ in again] == [
            "/gateway",
            "/localNetworkGateways/branch",
            "/localNetworkGateways/office",
            "/connections/branch",
            "/connections/office",
            "/runtime/held/IkeV2",
        ]
        documents = dict(again)
        assert documents["/gateway"]["properties"]["sku"] == {"name": "VpnGw1"}
        assert documents["/connections/branch"]["properties"]["sharedKey"] == "another"


async def test_a_restart_sends_the_secrets_that_later_documents_left_out() -> None:
    handle = Played()
    await handle.put(GATEWAY)
    bare = copy.deepcopy(GATEWAY)
    del bare["properties"]["vpnClientConfiguration"]["radiusServerSecret"]  # type: ignore[index]
    await handle.put(bare)
    await handle.put_connection(connection("branch", "key"))
    await handle.put_connection(connection("branch"))
    documents = dict(await handle.again())
    configuration = documents["/gateway"]["properties"]["vpnClientConfiguration"]
    assert configuration["radiusServerSecret"] == "shared"
    assert documents["/connections/branch"]["properties"]["sharedKey"] == "key"


async def test_a_gateway_created_anew_comes_before_what_was_left_of_the_former() -> None:
    handle = Played()
    await handle.put(GATEWAY)
    await handle.put_local_network_gateway(local("branch"))
    await handle.delete_gateway()
    await handle.put(GATEWAY)
    assert [path for path, _ in await handle.again()] == [
        "/gateway",
        "/localNetworkGateways/branch",
    ]


@pytest.mark.parametrize(("status", "kept"), [(400, []), (500, ["/gateway"])])
async def test_what_a_gateway_refused_is_not_sent_again_and_what_failed_is(
    status: int, kept: list[str]
) -> None:
    handle = Played()
    handle.status = status
    with pytest.raises(LabError):
        await handle.put(GATEWAY)
    handle.status = 200
    assert [path for path, _ in await handle.again()] == kept


def refused(number: int) -> dict[str, Any]:
    return {"event": "refused", "message": str(number)}


async def test_the_logs_are_those_of_before_a_restart_too() -> None:
    handle = Played()
    old, new = refused(1), refused(2)
    down = {"connection": "branch", "status": "NotConnected"}
    handle.rows = {"/log": [old], "/tunnelLog": [down]}
    await handle.stop()
    assert (await handle.log(), await handle.tunnel_log()) == ([old], [down])
    await handle.begin()
    handle.rows = {"/log": [new]}
    assert (await handle.log(), await handle.tunnel_log()) == ([old, new], [down])
    await handle.stop()
    assert await handle.log() == [old, new]


async def test_of_the_records_of_before_the_newest_of_each_event_are_kept() -> None:
    handle = Played()
    handle.rows = {"/log": [{"event": "connected"}, *map(refused, range(KEPT + 1))]}
    await handle.stop()
    assert await handle.log() == [{"event": "connected"}, *map(refused, range(1, KEPT + 1))]
