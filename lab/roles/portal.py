"""A captive portal: nginx on an access network's router, to which the router's firewall leads HTTP
and HTTPS of computers whose users have not signed in (lab/topology/planning/firewall.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon
from lab.roles.http import scratch
from lab.topology.planning.firewall import PORTAL_PORTS, SIGNED_IN

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import PortalSpec

DIRECTORY = "/run/portal"
CONFIGURATION = f"{DIRECTORY}/nginx.conf"
PAGE = "/sign-in"


async def start(node: Node, spec: PortalSpec, context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    own = context.credentials[spec.certificate]
    await node.write(f"{DIRECTORY}/portal.pem", own.chain_pem)
    await node.write(f"{DIRECTORY}/portal.key", own.key_pem, 0o600)
    await node.write(CONFIGURATION, configuration(spec))
    argv = ["nginx", "-p", DIRECTORY, "-e", "stderr", "-c", CONFIGURATION]
    port = PORTAL_PORTS[443]
    return await start_daemon(node, "portal", argv, address=spec.address, port=port)


def configuration(spec: PortalSpec) -> str:
    """nginx's own file: every request is led to the page."""
    http, https = PORTAL_PORTS[80], PORTAL_PORTS[443]
    page = f"http://{spec.address}:{http}{PAGE}"
    return (
        "daemon off;\nmaster_process off;\nuser root;\n"
        f"pid {DIRECTORY}/pid;\n"
        "events { worker_connections 512; }\n"
        "http {\n  access_log off;\n  default_type text/plain;\n"
        f"{scratch(DIRECTORY)}"
        "  server {\n"
        f"    listen {spec.address}:{http};\n    listen {spec.address}:{https} ssl;\n"
        f"    ssl_certificate {DIRECTORY}/portal.pem;\n"
        f"    ssl_certificate_key {DIRECTORY}/portal.key;\n"
        f"    location = {PAGE} {{ return 200 'sign in here\\n'; }}\n"
        f"    location / {{ return 302 {page}; }}\n"
        "  }\n}\n"
    )


def admitting(address: str) -> str:
    """What lets a computer out from then on, in nft's syntax."""
    return f"add element inet p2slab {SIGNED_IN} {{ {address} }}\n"
