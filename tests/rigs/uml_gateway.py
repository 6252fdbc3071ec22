"""The gateway's program in a user-mode Linux node, whose kernel has ESP; its API is asked from
inside, because no socket of such a node is visible outside."""

from __future__ import annotations

import json
import sys
from typing import Any

from lab.nodes.base import Node, Process
from lab.pki.authority import Credential
from lab.waiting import wait_until
from tests.rigs.placements import certificates_of, placement

FQDN = "gw.vpn.azure.com"
CERTIFICATES = certificates_of(FQDN)
_PLACEMENT = placement("6f1c0d0e-0000-4000-8000-00000000000e", FQDN)
_ANSWER = "/tmp/answer"


async def ask(gw: Node, method: str, path: str, body: object = None) -> bytes:
    """The API's answer; OSError with its words if it refuses."""
    argv = ["curl", "--silent", "--show-error", "--fail-with-body", "-X", method, "-o", _ANSWER]
    argv += ["--unix-socket", "/run/gateway/api.sock", f"http://localhost{path}", "--data", "@-"]
    done = await gw.run(argv, input=json.dumps(body) if body is not None else "")
    answer = await gw.read(_ANSWER) if await _there(gw) else b""
    if done.code:
        raise OSError(f"{done.output} {answer.decode(errors='replace')}")
    return answer


async def call(gw: Node, method: str, path: str, body: object = None) -> dict[str, Any]:
    """The same, of a document."""
    answer: dict[str, Any] = json.loads(await ask(gw, method, path, body))
    return answer


async def start_gateway(gw: Node, program: str, server: Credential) -> Process:
    """`program`: `gateway`, or tests.rigs.unfenced_gateway for a kernel without nftables."""
    await gw.write("/run/gateway/placement.json", json.dumps(_PLACEMENT))
    await gw.write("/run/gateway/server.pem", server.chain_pem)
    await gw.write("/run/gateway/server.key", server.key_pem, 0o600)
    await gw.write("/run/gateway/root.pem", server.root_pem)
    argv = ["--placement", "/run/gateway/placement.json", "--socket", "/run/gateway/api.sock"]
    argv = [sys.executable, "-m", program, *argv, "--state", "/run/gateway"]
    process = await gw.spawn(argv, log="gateway")

    async def answers() -> bool:
        return bool(await call(gw, "GET", "/runtime"))

    await wait_until("the gateway's API", 60, answers)
    return process


async def _there(gw: Node) -> bool:
    return (await gw.run(["test", "-e", _ANSWER])).code == 0
