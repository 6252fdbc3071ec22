"""A web server: nginx, which answers every path with the plan's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

if TYPE_CHECKING:
    from lab.roles import RoleContext
    from lab.topology.planning.specs import HttpSpec

CONFIGURATION = "/run/nginx/nginx.conf"


async def start(node: Node, spec: HttpSpec, _context: RoleContext) -> Process:
    """Start it; it serves when this returns."""
    await node.write(CONFIGURATION, configuration(spec))
    argv = ["nginx", "-p", "/run/nginx", "-e", "stderr", "-c", CONFIGURATION]
    return await start_daemon(node, "nginx", argv, address="127.0.0.1", port=spec.port)


def configuration(spec: HttpSpec) -> str:
    """nginx's own file: one process, nothing written outside the node's /run."""
    return (
        "daemon off;\nmaster_process off;\nuser root;\npid /run/nginx/pid;\n"
        "events { worker_connections 512; }\n"
        "http {\n  access_log off;\n  default_type text/plain;\n"
        f"{scratch('/run/nginx')}"
        f"  server {{ {_listening(spec)}"
        f" return 200 '{spec.text}\\n'; }}\n}}\n"
    )


def scratch(directory: str) -> str:
    """Where nginx keeps what it would keep in /var."""
    return "".join(
        f"  {kind}_temp_path {directory}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )


def _listening(spec: HttpSpec) -> str:
    if spec.listen:
        return f"listen {spec.listen}:{spec.port};"
    return f"listen {spec.port}; listen [::]:{spec.port};"
