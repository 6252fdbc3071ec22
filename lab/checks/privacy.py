"""`noCleartext`: the access network sees no cleartext while a client uses its tunnel."""

from __future__ import annotations

import json
import secrets
import socket
import sys

from lab.checks.reach import arriving
from lab.choices import counted
from lab.nodes.base import Completed, Node
from lab.observe.arrivals import Arrival
from lab.observe.capture import capture
from lab.topology.model.steps import NoCleartext
from lab.world import ClientComputer, Outcome, World

FETCH_LIMIT = 5
CURL = ("curl", "--silent", "--show-error")
FIRST_PORT, PORTS = 20_000, 12_000
"""Below the kernel's ephemeral ports."""
ACCESS_LINK = "eth0"
"""A client computer's only interface besides its tunnel."""
LISTED = 5
"""Packets quoted in the outcome."""


async def no_cleartext(step: NoCleartext, world: World) -> Outcome:
    """Fetch a page with a marker in its URL through the tunnel. The access network's router must
    see neither the marker, nor the response, nor an inner address."""
    client = world.clients[step.noCleartext]
    inside = world.addresses[step.host]
    connection = await client.connection()
    if connection is None:
        return Outcome(held=False, detail=f"{client.name} has no tunnel")
    marker = secrets.token_hex(16)
    path = client.access.run_directory / f"{marker}.pcap"
    port = str(FIRST_PORT + secrets.randbelow(PORTS))
    async with arriving(step.host, world) as arrived, capture(client.access, path):
        url = f"http://{inside}:{step.port}/{marker}"
        fetched = await client.node.run(
            [*CURL, "--max-time", str(FETCH_LIMIT), "--local-port", port, url],
            limit=FETCH_LIMIT + 2,
        )
    own = Arrival(inside, socket.IPPROTO_TCP, int(port))
    missing = _not_fetched(client, fetched)
    if not missing and arrived is not None and own not in arrived:
        missing = f"it is not {step.host} that answers"
    inner = [inside, connection.address]
    answer = fetched.stdout.strip()
    mac = (await client.node.read(f"/sys/class/net/{ACCESS_LINK}/address")).decode().strip()
    arguments = [
        *("--mac", mac, "--text", marker),
        *(("--text", answer) if answer else ()),
        *(word for address in inner for word in ("--address", address)),
    ]
    return await _search(client.access, path.name, arguments, missing)


def _not_fetched(client: ClientComputer, fetched: Completed) -> str:
    if fetched.code == 0 and fetched.stdout.strip():
        return ""
    return f"{client.name} got no page through its tunnel: {fetched.stderr.strip()}"


async def _search(node: Node, file: str, arguments: list[str], not_fetched: str) -> Outcome:
    """Search the capture in a separate process: scapy, if it is wanted, takes 0.3 s and 60 MB."""
    argv = [sys.executable, "-m", "lab.observe.cleartext", f"/run/{file}", *arguments]
    done = await node.run(argv)
    if done.code:
        return Outcome(held=False, detail=f"the capture could not be read: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    seen: list[str] = found["seen"]
    if seen:
        listed = "; ".join(seen[:LISTED])
        detail = f"{len(seen)} of {counted(found['packets'], 'packet')} in the clear: {listed}"
        return Outcome(held=False, detail=detail, evidence=found)
    if not_fetched:
        return Outcome(held=False, detail=not_fetched, evidence=found)
    if not found["packets"]:
        return Outcome(held=False, detail="no packet of it was captured", evidence=found)
    detail = f"none of it in {counted(found['packets'], 'packet')}"
    return Outcome(held=True, detail=detail, evidence=found)
