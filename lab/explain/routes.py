"""What a node's kernel says of its routes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.nodes.base import Node


async def route(node: Node, address: str) -> str:
    """The way to an address, in a line."""
    done = await node.run(["ip", "route", "get", address])
    return " ".join(done.output.replace("cache", "").split()).removesuffix("uid 0").strip()


async def route_to(node: Node, address: str) -> tuple[str, str]:
    """The way to an address, in a line, and the next router; empty: there is none between."""
    done = await node.run(["ip", "-json", "route", "get", address])
    rows = json.loads(done.stdout or "[]") if done.code == 0 else []
    if not rows:
        return " ".join(done.output.split()) or "unreachable", ""
    row = rows[0]
    keys = ("gateway", "dev", "prefsrc")
    words = " ".join(f"{key} {row[key]}" for key in keys if row.get(key))
    return words.replace("gateway", "via").replace("prefsrc", "src"), str(row.get("gateway", ""))


async def table_of(node: Node) -> str:
    """All routes of IPv4, in a line."""
    done = await node.run(["ip", "-4", "route"])
    return " | ".join(" ".join(line.split()) for line in done.output.splitlines())
