"""Where the answer to a probe ends."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.wayback import way_back
from lab.nodes.base import Completed

PATH = ("app1", "gw", "office", "files")


class Node:
    """A computer with a route back, by way of a router in some state."""

    def __init__(self, name: str, via: str = "192.168.50.1", state: str = "REACHABLE") -> None:
        self.name, self._via, self._state = name, via, state

    async def run(self, argv: list[str]) -> Completed:
        if "neighbour" in argv:
            return Completed(0, json.dumps([{"state": [self._state]}]), "")
        if not self._via:
            return Completed(2, "", "RTNETLINK answers: Network is unreachable")
        row = {"dst": argv[-1], "gateway": self._via, "dev": "eth0", "prefsrc": "192.168.50.10"}
        return Completed(0, json.dumps([row]), "")


def world(files: Node) -> Any:
    nodes = {name: Node(name) for name in PATH} | {"files": files}
    return SimpleNamespace(nodes=nodes)


def seen(*nodes: str) -> list[Sighting]:
    return [Sighting(node, "eth0", leaving=False, at=1.0, text="", source="10.1.1.4", port=4000)
            for node in nodes]  # fmt: skip


def arrived(*returned: str, **fields: Any) -> Followed:
    return Followed("tcp/80 to 192.168.50.10", "192.168.50.10", PATH, 1.0, seen(*PATH),
                    returned=seen(*returned), **fields)  # fmt: skip


@pytest.mark.parametrize(
    ("followed", "files", "words"),
    [
        (arrived(answer_dropped=Dropped("office", "chain between", "udp drop", "p2slab", "site")),
         Node("files"), "to 192.168.50.10 is dropped by the firewall of office"),
        (arrived(), Node("files", state="FAILED"), "its answers to 192.168.50.1, and nobody"),
        (arrived(), Node("files", via=""), "files has no way back to 10.1.1.4: RTNETLINK"),
        (arrived("files", "office"), Node("files"),
         "the answer of files was seen at office and did not come back to gw"),
    ],
)  # fmt: skip
async def test_where_it_ends(followed: Followed, files: Node, words: str) -> None:
    found = await way_back(followed, world(files))
    assert found
    assert found.layer == "way-back"
    assert words in found.cause


async def test_nothing_wrong_is_seen() -> None:
    assert await way_back(arrived(), world(Node("files"))) is None
    assert await way_back(arrived(*PATH), world(Node("files"))) is None
