"""The gateway's API: HTTP on a Unix socket, JSON, with Azure's operations and error format."""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.arm.documents import from_json, parse
from gateway.arm.model import ArmModel
from gateway.arm.resource import Unsupported
from gateway.arm.rules.certificates import certificate_flaw
from gateway.common.certificate_forms import der_of
from gateway.common.errors import GatewayError, InvalidDocumentError
from gateway.common.http_server import HttpError, HttpServer, Request, Response, route
from gateway.common.turns import own_turns
from gateway.common.vocabulary import AuthenticationMethod
from gateway.profile.archive import Snapshot, files, pack

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.common.http_server import Routes
    from gateway.reconcile import Gateway

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes; 20 roots and long lists of revoked certificates need far less."""


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

    async def get(self, _request: Request) -> Response:
        """GET the current document."""
        return _json(self._gateway.document())

    async def put(self, request: Request) -> Response:
        """PUT a new document."""
        return _json(await self._gateway.put(_body(request)))

    async def reset(self, _request: Request) -> Response:
        """Restart the gateway on another instance."""
        return _json(await self._gateway.reset())

    async def delete(self, _request: Request) -> Response:
        """DELETE the gateway; answers when it has ended."""
        return _deleted(existed=await self._gateway.delete())

    async def profile(self, request: Request) -> Response:
        """The VPN client configuration zip."""
        gateway, placement = self._gateway, self._gateway.placement
        wanted = parse(_VpnProfile, _body(request) if request.body else {})
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
        return Response(body=pack(files(snapshot)), content_type="application/zip")

    async def health(self, _request: Request) -> Response:
        """The connected sessions."""
        return _json({"vpnClientConnectionHealths": await self._gateway.health()})

    async def bgp_peers(self, _request: Request) -> Response:
        """The sessions with BGP peers."""
        return _json({"value": self._gateway.site_to_site.bgp_peers()})

    async def learned_routes(self, _request: Request) -> Response:
        """What BGP peers have announced."""
        return _json({"value": self._gateway.site_to_site.learned_routes()})

    async def disconnect(self, request: Request) -> Response:
        """End sessions; answers when they have ended."""
        data = _body(request)
        try:
            body = _Disconnect.model_validate(data)
        except ValidationError as error:
            flaws = "; ".join(item["msg"] for item in error.errors(include_url=False))
            raise InvalidDocumentError(f"vpnConnectionIds: {flaws}") from None
        await self._gateway.disconnect(body.vpnConnectionIds)
        return _json({})

    async def get_connection(self, request: Request) -> Response:
        """GET a connection with its status."""
        name = request.name
        return _json(await self._gateway.site_to_site.connection(name))

    async def put_connection(self, request: Request) -> Response:
        """Create or change a connection."""
        name = request.name
        return _json(await self._gateway.put_connection(name, _body(request)))

    async def list_connections(self, _request: Request) -> Response:
        """All connections."""
        return _json({"value": await self._gateway.site_to_site.connections()})

    async def get_local(self, request: Request) -> Response:
        """GET a local network gateway."""
        name = request.name
        return _json(self._gateway.site_to_site.local_gateway(name))

    async def put_local(self, request: Request) -> Response:
        """Create or change a local network gateway."""
        name, data = request.name, _body(request)
        return _json(await self._gateway.put_local_network_gateway(name, data))

    async def list_local(self, _request: Request) -> Response:
        """All local network gateways."""
        return _json({"value": self._gateway.site_to_site.local_gateways()})

    async def delete_connection(self, request: Request) -> Response:
        """Delete a connection and its tunnel."""
        name = request.name
        return _deleted(existed=await self._gateway.delete_of_site("connections", name))

    async def delete_local(self, request: Request) -> Response:
        """Delete a local network gateway; refused while a connection uses it."""
        name = request.name
        return _deleted(existed=await self._gateway.delete_of_site("localNetworkGateways", name))

    async def tunnel_log(self, _request: Request) -> Response:
        """TunnelDiagnosticLog."""
        return _json({"value": self._gateway.site_to_site.log.documents()})

    async def log(self, _request: Request) -> Response:
        """P2SDiagnosticLog."""
        return _json({"value": self._gateway.log.documents()})

    async def hold(self, request: Request) -> Response:
        """Keep the daemon of a protocol down."""
        await self._gateway.hold(request.name)
        return _json({})

    async def release(self, request: Request) -> Response:
        """Start it again."""
        await self._gateway.release(request.name)
        return _json({})

    async def runtime(self, _request: Request) -> Response:
        """Engines, eapd, throughput, refusals, memory (bytes) and processor time (seconds)."""
        return _json({
            "engines": self._gateway.engines(),
            "certificates": self._gateway.certificates(),
            "aggregate": self._gateway.aggregate(),
            "refusals": self._gateway.log.counts(),
            "memory": _memory(),
            "processor": own_turns(),
        })  # fmt: skip


def routes(gateway: Gateway) -> Routes:
    """What answers each request."""
    api = Api(gateway)
    return {
        "/gateway": {"GET": api.get, "PUT": api.put, "DELETE": api.delete},
        "/gateway/reset": {"POST": api.reset},
        "/gateway/generatevpnprofile": {"POST": api.profile},
        "/gateway/getVpnClientConnectionHealth": {"POST": api.health},
        "/gateway/getBgpPeerStatus": {"POST": api.bgp_peers},
        "/gateway/getLearnedRoutes": {"POST": api.learned_routes},
        "/gateway/disconnectVirtualNetworkGatewayVpnConnections": {"POST": api.disconnect},
        "/connections": {"GET": api.list_connections},
        "/connections/{name}": {
            "GET": api.get_connection,
            "PUT": api.put_connection,
            "DELETE": api.delete_connection,
        },
        "/localNetworkGateways": {"GET": api.list_local},
        "/localNetworkGateways/{name}": {
            "GET": api.get_local,
            "PUT": api.put_local,
            "DELETE": api.delete_local,
        },
        "/log": {"GET": api.log},
        "/tunnelLog": {"GET": api.tunnel_log},
        "/runtime": {"GET": api.runtime},
        "/runtime/held/{name}": {"PUT": api.hold, "DELETE": api.release},
    }


async def answer(routes: Routes, request: Request) -> Response:
    """Answer a request, every error in Azure's error format."""
    try:
        handler, name = route(routes, request)
        return await handler(replace(request, name=name))
    except GatewayError as error:
        return _json(error.document(), error.status)
    except HttpError as error:
        return refusal(error)
    except Exception as error:  # noqa: BLE001 - the API must always answer
        traceback.print_exc(file=sys.stderr)
        return _error(500, GatewayError.code, f"{type(error).__name__}: {error}")


async def serve(gateway: Gateway, path: Path) -> HttpServer:
    """Serve a gateway's API on a Unix socket that only its owner may use."""
    server = HttpServer(partial(answer, routes(gateway)), refusal, LARGEST_BODY)
    await server.start(path)
    return server


def refusal(error: HttpError) -> Response:
    """HTTP's own errors, by the names that they have in it: `NotFound`."""
    name = "".join(word.capitalize() for word in error.status.name.split("_"))
    return _error(error.status, name, str(error))


def _error(status: int, code: str, message: str) -> Response:
    return _json({"error": {"code": code, "message": message}}, status)


def _json(data: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(data).encode())


def _deleted(*, existed: bool) -> Response:
    """ARM's answer to DELETE: 202, or 204 where there is nothing of that name."""
    return Response(202 if existed else 204)


def _body(request: Request) -> Any:
    return from_json(request.body)


def _memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
