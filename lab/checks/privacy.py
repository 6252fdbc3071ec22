"""`noCleartext`: what others on the access network see while a client uses its tunnel."""

from __future__ import annotations

import json
import secrets
import sys

from lab.nodes.base import Completed, Node
from lab.observe.capture import capture
from lab.topology.model.steps import NoCleartext
from lab.world import ClientComputer, Outcome, World

FETCH_LIMIT = 5
ACCESS_LINK = "eth0"
"""A client computer's only interface besides its tunnel."""
LISTED = 5
"""Packets named in the outcome."""


async def no_cleartext(step: NoCleartext, world: World) -> Outcome:
    """Fetch a marked page through the tunnel; neither the marker, nor the answer, nor an inner
    address may be seen by the access network's router."""
    client = world.clients[step.noCleartext]
    inside = world.addresses[step.host]
    connection = await client.connection()
    marker = secrets.token_hex(16)
    path = client.access.run_directory / f"{marker}.pcap"
    async with capture(client.access, path):
        url = f"http://{inside}:{step.port}/{marker}"
        fetched = await client.node.run(
            ["curl", "--silent", "--show-error", "--max-time", str(FETCH_LIMIT), url],
            limit=FETCH_LIMIT + 2,
        )
    inner = [inside, *([connection.address] if connection else [])]
    answer = fetched.stdout.strip()
    mac = (await client.node.read(f"/sys/class/net/{ACCESS_LINK}/address")).decode().strip()
    words = [
        *("--mac", mac, "--text", marker),
        *(("--text", answer) if answer else ()),
        *(word for address in inner for word in ("--address", address)),
    ]
    return await _look(client.access, path.name, words, _not_fetched(client, fetched))


def _not_fetched(client: ClientComputer, fetched: Completed) -> str:
    if fetched.code == 0 and fetched.stdout.strip():
        return ""
    return f"{client.name} got no page through its tunnel: {fetched.stderr.strip()}"


async def _look(node: Node, file: str, words: list[str], not_fetched: str) -> Outcome:
    """Let scapy read the capture, in a process of its own: it costs 0.3 s and 60 MB to import."""
    argv = [sys.executable, "-m", "lab.observe.cleartext", f"/run/{file}", *words]
    told = await node.run(argv)
    if told.code:
        return Outcome(held=False, detail=f"the capture could not be read: {told.stderr.strip()}")
    found = json.loads(told.stdout)
    seen: list[str] = found["seen"]
    if seen:
        listed = "; ".join(seen[:LISTED])
        detail = f"{len(seen)} of {found['packets']} packets in the clear: {listed}"
        return Outcome(held=False, detail=detail, evidence=found)
    if not_fetched:
        return Outcome(held=False, detail=not_fetched, evidence=found)
    if not found["packets"]:
        return Outcome(held=False, detail="nothing at all was captured", evidence=found)
    return Outcome(held=True, detail=f"none of it in {found['packets']} packets", evidence=found)
