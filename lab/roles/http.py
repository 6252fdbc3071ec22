"""A web server: nginx, which answers every path with the plan's text."""

from __future__ import annotations

from typing import Any

from lab.nodes.base import Node, Process
from lab.roles.daemon import start_daemon

CONFIGURATION = "/run/nginx/nginx.conf"


async def start(node: Node, options: dict[str, Any]) -> Process:
    """Options: port, text."""
    await node.write(CONFIGURATION, configuration(options["port"], options["text"]))
    argv = ["nginx", "-p", "/run/nginx", "-e", "stderr", "-c", CONFIGURATION]
    return await start_daemon(node, "http", argv, address="127.0.0.1", port=options["port"])


def configuration(port: int, text: str) -> str:
    """nginx's own file: one process, nothing written outside the node's /run."""
    scratch = "".join(
        f"  {kind}_temp_path /run/nginx/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        "daemon off;\nmaster_process off;\nuser root;\npid /run/nginx/pid;\n"
        "events { worker_connections 512; }\n"
        "http {\n  access_log off;\n  default_type text/plain;\n"
        f"{scratch}"
        f"  server {{ listen {port}; listen [::]:{port}; return 200 '{text}\\n'; }}\n}}\n"
    )
