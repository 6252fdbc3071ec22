"""A firewall that breaks TLS open: nginx on an access network's router, to which the router's rules
lead TCP 443 (lab/topology/planning/firewall.py). What is HTTP inside is passed on to who was
called; what is no TLS is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon
from lab.roles.http import scratch
from lab.topology.planning.firewall import INSPECTION_PORT

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import InspectionSpec

DIRECTORY = "/run/inspection"
CONFIGURATION = f"{DIRECTORY}/nginx.conf"
OTHERS = ""
"""Shown in place of servers of which it knows no name: the authority itself."""


async def start(node: Node, spec: InspectionSpec, context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    shown = {OTHERS: spec.certificate, **spec.certificates}
    for number, certificate in enumerate(shown.values()):
        own = context.credentials[certificate]
        await node.write(f"{DIRECTORY}/{number}.pem", own.chain_pem)
        await node.write(f"{DIRECTORY}/{number}.key", own.key_pem, 0o600)
    await node.write(CONFIGURATION, configuration(spec))
    argv = ["nginx", "-p", DIRECTORY, "-e", "stderr", "-c", CONFIGURATION]
    port = INSPECTION_PORT
    return await start_daemon(node, "inspection", argv, address=spec.address, port=port)


def configuration(spec: InspectionSpec) -> str:
    """nginx's own file: a server for each name (SNI), the first for all others."""
    servers = "".join(
        f"  server {{\n    listen {spec.address}:{INSPECTION_PORT} ssl;\n"
        + (f"    server_name {name};\n" if name else "")
        + f"    ssl_certificate {DIRECTORY}/{number}.pem;\n"
        f"    ssl_certificate_key {DIRECTORY}/{number}.key;\n"
        "    location / { proxy_pass https://$host$request_uri; }\n  }\n"
        for number, name in enumerate((OTHERS, *spec.certificates))
    )
    return (
        "daemon off;\nmaster_process off;\nuser root;\n"
        f"pid {DIRECTORY}/pid;\n"
        "events { worker_connections 512; }\n"
        "http {\n  access_log off;\n"
        "  server_names_hash_bucket_size 256;\n"
        f"  resolver {spec.nameserver} ipv6=off;\n"
        f"{scratch(DIRECTORY)}{servers}}}\n"
    )
