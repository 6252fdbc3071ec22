"""The gateway's API: HTTP on a Unix socket, JSON, with Azure's operations and error format."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.arm.documents import from_json, parse
from gateway.arm.model import ArmModel
from gateway.arm.resource import Unsupported
from gateway.arm.rules.certificates import certificate_flaw
from gateway.common.certificate_forms import der_of
from gateway.common.errors import GatewayError, InvalidDocumentError
from gateway.common.turns import own_turns
from gateway.common.vocabulary import AuthenticationMethod
from gateway.profile.archive import Snapshot, files, pack

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.reconcile import Gateway

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes; 20 roots and long lists of revoked certificates need far less."""

GOODBYE = 1.0
"""Seconds that pending requests get when the gateway stops."""


class _Disconnect(BaseModel):
    """Body of disconnectVirtualNetworkGatewayVpnConnections."""

    model_config = ConfigDict(extra="forbid")

    vpnConnectionIds: list[str]


class _VpnProfile(ArmModel):
    """Body of generatevpnprofile (ARM's VpnClientParameters); nothing in the zip depends on the
    processor architecture."""

    processorArchitecture: Literal["Amd64", "X86"] | None = None
    authenticationMethod: AuthenticationMethod | None = None
    radiusServerAuthCertificate: str | None = None
    clientRootCertificates: Unsupported = None

    @property
    def radius_root(self) -> bytes:
        """The root in DER; empty if none is given. InvalidDocumentError: not a certificate."""
        data = self.radiusServerAuthCertificate
        if not data:
            return b""
        if flaw := certificate_flaw(data):
            message = f"radiusServerAuthCertificate: {flaw.what}; {flaw.remedy}"
            raise InvalidDocumentError(message)
        return der_of(data) or b""


class Api:
    """Routes to one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def get(self, _request: web.Request) -> web.Response:
        """GET the current document."""
        return web.json_response(self._gateway.document())

    async def put(self, request: web.Request) -> web.Response:
        """PUT a new document."""
        return web.json_response(await self._gateway.put(await _json(request)))

    async def reset(self, _request: web.Request) -> web.Response:
        """Restart the gateway on another instance."""
        return web.json_response(await self._gateway.reset())

    async def delete(self, _request: web.Request) -> web.Response:
        """DELETE the gateway; answers when it has ended."""
        return _deleted(existed=await self._gateway.delete())

    async def profile(self, request: web.Request) -> web.Response:
        """The VPN client configuration zip."""
        gateway, placement = self._gateway, self._gateway.placement
        wanted = parse(_VpnProfile, await _json(request) if request.can_read_body else {})
        radius = "Radius" in gateway.configuration.vpnAuthenticationTypes
        snapshot = Snapshot(
            fqdn=placement.fqdn,
            certificate_name=placement.certificate_name,
            root_pem=placement.serverCertificate.root.read_text(),
            protocols=gateway.configuration.vpnClientProtocols,
            routes=gateway.routes,
            tls_auth=gateway.tls_auth_key(),
            method=wanted.authenticationMethod or ("EAPMSCHAPv2" if radius else "EAPTLS"),
            radius=radius,
            radius_root=wanted.radius_root,
            ipsec=gateway.ipsec,
        )
        return web.Response(body=pack(files(snapshot)), content_type="application/zip")

    async def health(self, _request: web.Request) -> web.Response:
        """The connected sessions."""
        return web.json_response({"vpnClientConnectionHealths": await self._gateway.health()})

    async def disconnect(self, request: web.Request) -> web.Response:
        """End sessions; answers when they have ended."""
        data = await _json(request)
        try:
            body = _Disconnect.model_validate(data)
        except ValidationError as error:
            flaws = "; ".join(item["msg"] for item in error.errors(include_url=False))
            raise InvalidDocumentError(f"vpnConnectionIds: {flaws}") from None
        await self._gateway.disconnect(body.vpnConnectionIds)
        return web.json_response({})

    async def get_connection(self, request: web.Request) -> web.Response:
        """GET a connection with its status."""
        name = request.match_info["name"]
        return web.json_response(await self._gateway.site_to_site.connection(name))

    async def put_connection(self, request: web.Request) -> web.Response:
        """Create or change a connection."""
        name = request.match_info["name"]
        return web.json_response(await self._gateway.put_connection(name, await _json(request)))

    async def list_connections(self, _request: web.Request) -> web.Response:
        """All connections."""
        return web.json_response({"value": await self._gateway.site_to_site.connections()})

    async def get_local(self, request: web.Request) -> web.Response:
        """GET a local network gateway."""
        name = request.match_info["name"]
        return web.json_response(self._gateway.site_to_site.local_gateway(name))

    async def put_local(self, request: web.Request) -> web.Response:
        """Create or change a local network gateway."""
        name, data = request.match_info["name"], await _json(request)
        return web.json_response(await self._gateway.put_local_network_gateway(name, data))

    async def list_local(self, _request: web.Request) -> web.Response:
        """All local network gateways."""
        return web.json_response({"value": self._gateway.site_to_site.local_gateways()})

    async def delete_connection(self, request: web.Request) -> web.Response:
        """Delete a connection and its tunnel."""
        name = request.match_info["name"]
        return _deleted(existed=await self._gateway.delete_of_site("connections", name))

    async def delete_local(self, request: web.Request) -> web.Response:
        """Delete a local network gateway; refused while a connection uses it."""
        name = request.match_info["name"]
        return _deleted(existed=await self._gateway.delete_of_site("localNetworkGateways", name))

    async def tunnel_log(self, _request: web.Request) -> web.Response:
        """TunnelDiagnosticLog."""
        return web.json_response({"value": self._gateway.site_to_site.log.documents()})

    async def log(self, _request: web.Request) -> web.Response:
        """P2SDiagnosticLog."""
        return web.json_response({"value": self._gateway.log.documents()})

    async def hold(self, request: web.Request) -> web.Response:
        """Keep the daemon of a protocol down."""
        await self._gateway.hold(request.match_info["protocol"])
        return web.json_response({})

    async def release(self, request: web.Request) -> web.Response:
        """Start it again."""
        await self._gateway.release(request.match_info["protocol"])
        return web.json_response({})

    async def runtime(self, _request: web.Request) -> web.Response:
        """Engines, eapd, throughput, refusals, memory (bytes) and processor time (seconds)."""
        return web.json_response({
            "engines": self._gateway.engines(),
            "certificates": self._gateway.certificates(),
            "aggregate": self._gateway.aggregate(),
            "refusals": self._gateway.log.counts(),
            "memory": _memory(),
            "processor": own_turns(),
        })  # fmt: skip


def application(gateway: Gateway) -> web.Application:
    """The routes."""
    api = Api(gateway)
    app = web.Application(middlewares=[_errors], client_max_size=LARGEST_BODY)
    app.add_routes(
        [
            web.get("/gateway", api.get),
            web.put("/gateway", api.put),
            web.delete("/gateway", api.delete),
            web.post("/gateway/reset", api.reset),
            web.post("/gateway/generatevpnprofile", api.profile),
            web.post("/gateway/getVpnClientConnectionHealth", api.health),
            web.post("/gateway/disconnectVirtualNetworkGatewayVpnConnections", api.disconnect),
            web.get("/connections", api.list_connections),
            web.get("/connections/{name}", api.get_connection),
            web.put("/connections/{name}", api.put_connection),
            web.delete("/connections/{name}", api.delete_connection),
            web.get("/localNetworkGateways", api.list_local),
            web.get("/localNetworkGateways/{name}", api.get_local),
            web.put("/localNetworkGateways/{name}", api.put_local),
            web.delete("/localNetworkGateways/{name}", api.delete_local),
            web.get("/log", api.log),
            web.get("/tunnelLog", api.tunnel_log),
            web.get("/runtime", api.runtime),
            web.put("/runtime/engines/{protocol}/hold", api.hold),
            web.delete("/runtime/engines/{protocol}/hold", api.release),
        ]
    )
    return app


async def serve(app: web.Application, path: Path) -> web.AppRunner:
    """Listen on a Unix socket that only its owner may use."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GOODBYE)
    await runner.setup()
    mask = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    finally:
        os.umask(mask)
    return runner


@web.middleware
async def _errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer every error in Azure's error format."""
    try:
        response: web.StreamResponse = await handler(request)
    except GatewayError as error:
        return web.json_response(error.document(), status=error.status)
    except web.HTTPException as error:
        body = {"error": {"code": type(error).__name__.removeprefix("HTTP"), "message": error.text}}
        return web.json_response(body, status=error.status)
    except Exception as error:  # noqa: BLE001 - the API must always answer
        traceback.print_exc(file=sys.stderr)
        message = f"{type(error).__name__}: {error}"
        body = {"error": {"code": GatewayError.code, "message": message}}
        return web.json_response(body, status=500)
    return response


def _deleted(*, existed: bool) -> web.Response:
    """ARM's answer to DELETE: 202, or 204 where there is nothing of that name."""
    return web.Response(status=202 if existed else 204)


async def _json(request: web.Request) -> Any:
    return from_json(await request.read())


def _memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
