"""The API on its Unix socket; documents without point-to-site need no daemon."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import stat
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.arm.placement import Placement
from gateway.arm.resource import VirtualNetworkGateway
from gateway.control import serve
from gateway.forwarding.reach import Reach
from gateway.policy.admission import Policy
from gateway.policy.refusals import BoundedLog
from gateway.policy.sessions import Peer
from gateway.policy.trust import load_public_cert_data, thumbprint
from gateway.reconcile import Gateway
from tests.rigs.azure_documents import LOCAL as AZURES
from tests.rigs.azure_documents import SHAPES, get
from tests.rigs.fences import RecordingFence
from tests.rigs.placements import placement

PLAIN = {"name": "gw", "properties": {"sku": {"name": "VpnGw1"}}}


@pytest.fixture
def gateway(tmp_path: Path, pki: Any) -> Gateway:
    root = tmp_path / "root.pem"
    root.write_bytes(pki["root"].public_bytes(Encoding.PEM))
    document = placement("1", "azuregateway-1-2.vpn.azure.com")
    document["serverCertificate"] = {"certificate": "a", "privateKey": "b", "root": str(root)}
    placed = Placement.model_validate(document)
    return Gateway(placed, tmp_path / "state", BoundedLog(), RecordingFence())


@pytest.fixture
async def api(gateway: Gateway, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    path = tmp_path / "api.sock"
    runner = await serve(gateway, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with aiohttp.ClientSession(
        base_url="http://gateway", connector=aiohttp.UnixConnector(str(path))
    ) as session:
        yield session
    await runner.cleanup()


async def ask(
    api: aiohttp.ClientSession, method: str, path: str, body: Any = None
) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with api.request(method, path, data=data) as answer:
        content = await answer.read()
        return answer.status, json.loads(content) if content else None


async def test_there_is_no_document_at_first(api: aiohttp.ClientSession) -> None:
    status, body = await ask(api, "GET", "/gateway")
    assert (status, body["error"]["code"]) == (404, "ResourceNotFound")


async def test_what_was_put_is_returned_as_succeeded(api: aiohttp.ClientSession) -> None:
    status, body = await ask(api, "PUT", "/gateway", PLAIN)
    assert (status, body["properties"]["provisioningState"]) == (200, "Succeeded")
    assert (await ask(api, "GET", "/gateway"))[1] == body
    assert (await ask(api, "PUT", "/gateway", body))[0] == 200


async def test_a_refused_document_leaves_the_old_one(
    api: aiohttp.ClientSession, document: Any
) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    status, body = await ask(api, "PUT", "/gateway", document({"vpnType": "PolicyBased"}))
    assert (status, body["error"]["details"][0]["target"]) == (400, "properties.vpnType")
    assert (await ask(api, "GET", "/gateway"))[1]["properties"]["vpnType"] == "RouteBased"


async def test_details_name_places_in_lists(api: aiohttp.ClientSession, document: Any) -> None:
    bad = document(vpnClientRootCertificates=[{"name": "x", "properties": {"publicCertData": "?"}}])
    _, body = await ask(api, "PUT", "/gateway", bad)
    (detail,) = body["error"]["details"]
    assert detail["target"] == (
        "properties.vpnClientConfiguration.vpnClientRootCertificates[0].properties.publicCertData"
    )
    assert detail["message"].startswith("Data for certificate x is invalid")


def of_size(name: str) -> dict[str, Any]:
    return {"name": "gw", "properties": {"sku": {"name": name}}}


async def test_basic_is_not_resized_but_deleted_and_created_anew(
    api: aiohttp.ClientSession,
) -> None:
    assert (await ask(api, "PUT", "/gateway", of_size("Basic")))[0] == 200
    status, body = await ask(api, "PUT", "/gateway", of_size("VpnGw2AZ"))
    (detail,) = body["error"]["details"]
    assert (status, detail["code"], detail["target"]) == (
        400,
        "InvalidProperty",
        "properties.sku.name",
    )
    assert detail["message"] == (
        "a gateway of the Basic SKU cannot be resized to VpnGw2AZ; delete the gateway and create "
        "it anew with VpnGw2AZ"
    )
    assert (await ask(api, "GET", "/gateway"))[1]["properties"]["sku"]["name"] == "Basic"
    assert await ask(api, "DELETE", "/gateway") == (202, None)
    assert (await ask(api, "GET", "/gateway"))[0] == 404
    assert await ask(api, "DELETE", "/gateway") == (204, None)
    assert (await ask(api, "PUT", "/gateway", of_size("VpnGw2AZ")))[0] == 200
    status, body = await ask(api, "PUT", "/gateway", of_size("Basic"))
    assert (status, body["error"]["details"][0]["target"]) == (400, "properties.sku.name")


async def test_of_two_puts_at_once_the_later_one_is_judged_by_the_earlier(
    api: aiohttp.ClientSession,
) -> None:
    answers = await asyncio.gather(
        *(ask(api, "PUT", "/gateway", of_size(name)) for name in ("Basic", "VpnGw1"))
    )
    assert sorted(status for status, _ in answers) == [200, 400]


async def test_a_deleted_gateways_secrets_are_forgotten(
    api: aiohttp.ClientSession, gateway: Gateway, document: Any
) -> None:
    kept = gateway._state / "openvpn" / "tls-auth.key"
    kept.parent.mkdir(parents=True)
    kept.write_text("key of the deleted gateway")
    radius = {
        "vpnClientProtocols": ["IkeV2"],
        "vpnAuthenticationTypes": ["Radius"],
        "vpnClientRootCertificates": [],
        "radiusServerAddress": "10.1.0.9",
    }
    with_secret = VirtualNetworkGateway.model_validate(
        document(**radius, radiusServerSecret="hunter2")
    )
    gateway._resource = with_secret
    assert await ask(api, "DELETE", "/gateway") == (202, None)
    assert not kept.exists()
    status, body = await ask(api, "PUT", "/gateway", document(**radius))
    assert (status, "secret" in body["error"]["message"]) == (400, True)


async def test_a_deleted_gateway_lets_nobody_in_and_forwards_nothing(
    gateway: Gateway, api: aiohttp.ClientSession, document: Any, pki: Any
) -> None:
    fence = gateway._fence
    assert isinstance(fence, RecordingFence)
    await ask(api, "PUT", "/gateway", PLAIN)
    root = load_public_cert_data(pki.data("root"))
    gateway._admission.policy = Policy(
        roots=frozenset((thumbprint(root),)),
        limits={"SSTP": 128},
        parts={"SSTP": (IPv4Network("172.16.201.0/24"),)},
    )
    peer = Peer("SSTP", "alice", ("AA",), thumbprint(root), "192.0.2.1")
    decision = gateway._admission.decide(peer)
    assert decision.reservation
    address = decision.reservation.address
    gateway.sessions.open(decision.reservation, handle="1", private_address=address)
    assert fence.open == {("SSTP", str(address)): None}
    assert await ask(api, "DELETE", "/gateway") == (202, None)
    assert fence.open == {}
    assert fence.reach == Reach()
    assert gateway._admission.decide(peer).reason


async def test_a_gateway_with_a_connection_is_not_deleted(
    api: aiohttp.ClientSession, gateway: Gateway
) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    await ask(api, "PUT", "/localNetworkGateways/office", LOCAL)
    gateway.site_to_site.take_connection("office", tunnel(), gateway.resource)
    status, body = await ask(api, "DELETE", "/gateway")
    assert (status, "office; delete them first" in body["error"]["message"]) == (400, True)
    assert (await ask(api, "GET", "/gateway"))[0] == 200


async def test_the_placement_says_that_the_gateway_is_classic(
    api: aiohttp.ClientSession, gateway: Gateway, document: Any
) -> None:
    gateway.placement = gateway.placement.model_copy(update={"deploymentModel": "Classic"})
    basic = {"sku": {"name": "Basic"}}
    status, body = await ask(api, "PUT", "/gateway", document(basic, vpnClientProtocols=["IkeV2"]))
    told = " ".join(detail["message"] for detail in body["error"]["details"])
    assert (status, "classic deployment model does not support IkeV2" in told) == (400, True)
    status, body = await ask(api, "PUT", "/gateway", PLAIN)
    assert (status, body["error"]["details"][0]["target"]) == (400, "properties.sku.name")
    assert (await ask(api, "PUT", "/gateway", of_size("Basic")))[0] == 200


async def test_the_31st_tunnel_is_refused_and_virtual_wan_named(
    api: aiohttp.ClientSession, gateway: Gateway
) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    for number in range(31):
        site = {
            "localNetworkAddressSpace": {"addressPrefixes": [f"192.168.{number}.0/24"]},
            "gatewayIpAddress": f"198.51.100.{number + 1}",
        }
        await ask(api, "PUT", f"/localNetworkGateways/s{number}", {"properties": site})
    for number in range(30):
        wanted = tunnel(localNetworkGateway2={"id": f"s{number}"}) | {"name": f"s{number}"}
        gateway.site_to_site.take_connection(f"s{number}", wanted, gateway.resource)
    last = tunnel(localNetworkGateway2={"id": "s30"}) | {"name": "s30"}
    status, body = await ask(api, "PUT", "/connections/s30", last)
    (detail,) = body["error"]["details"]
    assert (status, "Virtual WAN" in detail["message"]) == (400, True)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'{"name": 1}'])
async def test_what_is_no_document_is_refused(api: aiohttp.ClientSession, body: bytes) -> None:
    status, answer = await ask(api, "PUT", "/gateway", body)
    assert (status, answer["error"]["code"]) == (400, "InvalidRequestFormat")


async def test_another_gateways_document_is_refused(api: aiohttp.ClientSession) -> None:
    status, body = await ask(api, "PUT", "/gateway", PLAIN | {"name": "other"})
    assert (status, body["error"]["details"][0]["target"]) == (400, "name")


@pytest.mark.parametrize("body", [{}, {"vpnConnectionIds": "x"}, {"vpnConnectionIds": [1]}, []])
async def test_disconnect_wants_ids(api: aiohttp.ClientSession, body: Any) -> None:
    path = "/gateway/disconnectVirtualNetworkGatewayVpnConnections"
    assert (await ask(api, "POST", path, body))[0] == 400


async def test_disconnecting_an_unknown_session_is_an_error(api: aiohttp.ClientSession) -> None:
    path = "/gateway/disconnectVirtualNetworkGatewayVpnConnections"
    status, body = await ask(api, "POST", path, {"vpnConnectionIds": ["nobody"]})
    assert (status, "nobody" in body["error"]["message"]) == (404, True)


async def test_an_unknown_path_is_an_error_in_azures_format(api: aiohttp.ClientSession) -> None:
    status, body = await ask(api, "GET", "/nowhere")
    assert (status, body["error"]["code"]) == (404, "NotFound")


async def test_log_sessions_and_runtime_of_an_idle_gateway(api: aiohttp.ClientSession) -> None:
    assert (await ask(api, "GET", "/log"))[1] == {"value": []}
    _, health = await ask(api, "POST", "/gateway/getVpnClientConnectionHealth")
    assert health == {"vpnClientConnectionHealths": []}
    _, runtime = await ask(api, "GET", "/runtime")
    assert runtime["engines"] == []
    assert runtime["memory"] > 1_000_000


async def test_a_body_without_end_is_cut_off(api: aiohttp.ClientSession) -> None:
    async with api.put("/gateway", data=io.BytesIO(b" " * (5 * 1024 * 1024))) as answer:
        assert answer.status == 413


async def test_nobody_else_can_open_the_socket(api: aiohttp.ClientSession, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(str(tmp_path / "api.sock"))
        await ask(api, "GET", "/log")  # it is accepted before the server ends
    assert stat.S_IMODE((tmp_path / "api.sock").stat().st_mode) & 0o077 == 0


LOCAL = {
    "name": "office",
    "properties": {
        "localNetworkAddressSpace": {"addressPrefixes": ["192.168.50.0/24"]},
        "gatewayIpAddress": "198.51.100.2",
    },
}


def tunnel(**changes: Any) -> dict[str, Any]:
    properties = {
        "virtualNetworkGateway1": {"id": "gw"},
        "localNetworkGateway2": {"id": "office"},
        "connectionType": "IPsec",
        "sharedKey": "hunter2",
    }
    return {"name": "office", "properties": properties | changes}


async def test_a_local_network_gateway_is_kept_listed_and_deleted(
    api: aiohttp.ClientSession,
) -> None:
    assert await ask(api, "PUT", "/localNetworkGateways/office", LOCAL) == (200, LOCAL)
    await ask(api, "PUT", "/gateway", PLAIN)
    assert (await ask(api, "GET", "/localNetworkGateways"))[1] == {"value": [LOCAL]}
    assert await ask(api, "DELETE", "/localNetworkGateways/office") == (202, None)
    assert (await ask(api, "GET", "/localNetworkGateways/office"))[0] == 404
    assert await ask(api, "DELETE", "/localNetworkGateways/office") == (204, None)
    assert await ask(api, "DELETE", "/connections/office") == (204, None)


async def test_a_connection_without_its_other_side_is_refused_at_its_place(
    api: aiohttp.ClientSession,
) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    status, body = await ask(api, "PUT", "/connections/office", tunnel())
    (detail,) = body["error"]["details"]
    assert (status, detail["target"]) == (400, "properties.localNetworkGateway2.id")
    assert "hunter2" not in str(body)
    assert (await ask(api, "GET", "/connections"))[1] == {"value": []}
    assert (await ask(api, "GET", "/connections/office"))[0] == 404


async def test_a_resource_has_the_name_of_its_address(api: aiohttp.ClientSession) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    status, body = await ask(api, "PUT", "/localNetworkGateways/branch", LOCAL)
    assert (status, body["error"]["details"][0]["target"]) == (400, "name")


async def test_a_connection_needs_the_gateways_own_document_first(
    api: aiohttp.ClientSession,
) -> None:
    assert (await ask(api, "PUT", "/connections/office", tunnel()))[0] == 404


@pytest.mark.parametrize(
    "changes", [{"sharedKey": ["hunter2"]}, {"sharedKey": "hunter2", "colour": "red"}]
)
async def test_no_key_is_in_an_error(changes: dict[str, Any], api: aiohttp.ClientSession) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    status, body = await ask(api, "PUT", "/connections/office", tunnel(**changes))
    assert status == 400
    assert "hunter2" not in str(body)


async def test_the_certificate_of_a_radius_server_must_be_one(
    api: aiohttp.ClientSession, pki: Any
) -> None:
    await ask(api, "PUT", "/gateway", PLAIN)
    path, key = "/gateway/generatevpnprofile", "radiusServerAuthCertificate"
    status, body = await ask(api, "POST", path, {key: "nonsense"})
    assert status == 400
    assert body["error"]["message"].startswith(key)
    async with api.post(path, json={key: pki.data("root")}) as answer:
        assert answer.status == 200


async def test_what_azures_get_returns_can_be_put(api: aiohttp.ClientSession) -> None:
    shown = get({"vpnClientConfiguration": None}) | {"name": "gw"}
    for shape in SHAPES.values():
        status, body = await ask(api, "PUT", "/gateway", shape(shown))
        assert (status, body["properties"]["sku"]) == (200, {"name": "VpnGw2", "tier": "VpnGw2"})
    nameless = {key: value for key, value in shown.items() if key != "name"}
    status, body = await ask(api, "PUT", "/gateway", nameless)
    assert (status, body["name"]) == (200, "gw")


async def test_all_that_the_gateway_lacks_is_told_in_azures_format(
    api: aiohttp.ClientSession,
) -> None:
    shown = get({"natRules": [{"name": "n"}], "vpnType": 1}, aadTenant="t", colour="red")
    status, body = await ask(api, "PUT", "/gateway", SHAPES["az"](shown))
    assert (status, body["error"]["code"]) == (400, "InvalidRequestFormat")
    assert {detail["target"] for detail in body["error"]["details"]} == {
        "natRules",
        "vpnType",
        "vpnClientConfiguration.aadTenant",
        "vpnClientConfiguration.colour",
    }


@pytest.mark.parametrize("depth", [300, 700, 900, 990])
async def test_a_document_that_is_nested_deeply_is_refused(
    api: aiohttp.ClientSession, depth: int
) -> None:
    lists = b"[" * depth + b"]" * depth
    body = b'{"properties": {"sku": {"name": "VpnGw1"}, "identity": %s, "bgpSettings": %s}}'
    assert (await ask(api, "PUT", "/gateway", body % (lists, lists)))[0] in (200, 400)


async def test_a_key_that_is_given_twice_is_refused(api: aiohttp.ClientSession) -> None:
    body = b'{"properties": {"sku": {"name": "VpnGw1"}}, "properties": {}}'
    status, answer = await ask(api, "PUT", "/gateway", body)
    assert (status, answer["error"]["message"]) == (400, "not JSON: 'properties' is given twice")


async def test_azures_local_network_gateway_needs_no_name_beside_its_url(
    api: aiohttp.ClientSession,
) -> None:
    nameless = {key: value for key, value in AZURES.items() if key != "name"}
    status, body = await ask(api, "PUT", "/localNetworkGateways/branch", nameless)
    assert (status, body["name"]) == (200, "branch")
