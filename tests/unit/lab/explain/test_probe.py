"""What becomes of a probe: nobody listens, somebody else answers, the answer is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain import probe
from lab.explain.follow import Dropped, Followed, Sighting
from lab.explain.goal import Goal
from lab.explain.probe import Way, probed, silent_service
from lab.nodes.base import Completed
from tests.unit.lab.checks.fakes import FakeNode

APP = "10.1.1.4"
PATH = ("alice", "home", "gw", "app1")
GOAL = Goal("tcp", APP, 80, node="app1")
WAY = Way(APP, PATH, ("home",))
DROPPED = Dropped("app1", "chain arriving", "drop", "p2slab", "host")


def followed(*nodes: str, **fields: Any) -> Followed:
    seen = [Sighting(node, "eth0", leaving=False, at=1.0, text="") for node in nodes]
    return Followed(f"tcp/80 to {APP}", APP, PATH, 1.0, seen, **fields)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`lost` and `sockets`: what a probe's way is, and who listens at the target."""
    found = SimpleNamespace(
        way=followed(),
        sockets="",
        addresses={"app1": APP},
        nodes={name: FakeNode(name) for name in PATH},
    )
    found.nodes["gw"].prints["ip"] = Completed(0, '[{"gateway": "10.1.255.1", "dev": "lan"}]', "")

    async def follow(*_: Any, **__: Any) -> Followed:
        return found.way

    async def no_way_back(*_: Any) -> None:
        return None

    monkeypatch.setattr(probe, "follow", follow)
    monkeypatch.setattr(probe, "way_back", no_way_back)
    monkeypatch.setattr(probe, "listening", lambda _: found.sockets)
    return found


@pytest.mark.parametrize(
    ("way", "sockets", "layer", "words"),
    [
        (followed(*PATH), "0.0.0.0:22", "service", "nothing listens on tcp port 80 of app1"),
        (followed(*PATH), "127.0.0.1:80", "service", "listens on 127.0.0.1 (loopback) alone"),
        (followed(*PATH), "10.9.9.9:80", "service", "listens on 10.9.9.9 alone, not on 10.1.1.4"),
        (followed(*PATH), "0.0.0.0:80", "service", "nothing came back"),
        (followed(*PATH, dropped=DROPPED), "", "firewall", "dropped by app1's own firewall"),
        (followed("alice", "gw"), "", "route", "seen at gw and did not arrive at app1"),
        (followed("alice"), "", "route", "alice has no route to 10.1.1.4"),
        (followed("alice", answered=True), "", "overlap", "somebody else than app1 answers"),
    ],
)
async def test_the_first_broken_layer(
    way: Followed, sockets: str, layer: str, words: str, world: Any
) -> None:
    world.way, world.sockets = way, sockets
    found = await probed(world, GOAL, WAY, {})
    assert found
    assert (found.layer, words in found.cause) == (layer, True), found.cause


async def test_what_answers_is_passed(world: Any) -> None:
    passed: dict[Any, str] = {}
    world.way = followed(*PATH, answered=True)
    assert await probed(world, GOAL, WAY, passed) is None
    assert "not seen at home" not in passed["service"]


async def test_a_service_is_asked_for_whether_or_not_a_probe_came_to_it(world: Any) -> None:
    found = await silent_service(world, GOAL)
    assert found
    assert (found.layer, found.cause) == ("service", "nothing listens on tcp port 80 of app1")
    world.sockets = f"{APP}:80"
    assert await silent_service(world, GOAL) is None
    world.sockets = ""
    assert await silent_service(world, Goal("icmp", APP, node="app1")) is None
    assert await silent_service(world, Goal("tcp", APP, 80)) is None
