"""What a node reaches, and which names it resolves."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lab.nodes import probes
from lab.nodes.base import Completed
from lab.observe.arrivals import Arrival
from tests.unit.lab.checks.fakes import FakeWorld, connection
from tests.unit.lab.checks.steps import outcome


@pytest.fixture
def tcp_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def udp_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def echo() -> None:
            data, peer = server.recvfrom(100)
            server.sendto(data, peer)

        thread = threading.Thread(target=echo)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


async def test_tcp_is_reached_where_something_accepts(world: FakeWorld, tcp_port: int) -> None:
    assert (await outcome(world, reaches="alice", host="app1", port=tcp_port)).held
    assert not (await outcome(world, cannotReach="alice", host="app1", port=tcp_port)).held


async def test_tcp_is_not_reached_where_nothing_listens(world: FakeWorld) -> None:
    assert not (await outcome(world, reaches="alice", host="app1", port=1)).held
    assert (await outcome(world, cannotReach="alice", host="app1", port=1)).held


async def test_udp_is_reached_only_where_something_answers(world: FakeWorld, udp_port: int) -> None:
    assert (await outcome(world, reaches="alice", host="app1", port=udp_port, protocol="udp")).held
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        step = {"host": "app1", "port": port, "protocol": "udp", "within": 0.3}
        assert not (await outcome(world, reaches="alice", **step)).held


async def test_an_answer_of_another_computer_of_that_address_is_none(
    world: FakeWorld, tcp_port: int, arrived: list[Any]
) -> None:
    """Such as one at home, whose network has the VNet's prefix."""
    arrived[0] = {Arrival("127.0.0.1", socket.IPPROTO_TCP, 1)}
    step = {"host": "app1", "port": tcp_port}
    found = await outcome(world, reaches="alice", **step)
    assert not found.held
    assert "it is not app1 that answers" in found.detail
    assert (await outcome(world, cannotReach="alice", **step)).held
    by_address = {"address": "127.0.0.1", "port": tcp_port}
    assert (await outcome(world, reaches="alice", **by_address)).held


async def test_a_probe_is_known_again_where_it_arrives(
    world: FakeWorld, tcp_port: int, arrived: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own: list[int] = []
    tcp = probes.tcp

    def told(*arguments: Any) -> str:
        answer = tcp(*arguments)
        own.append(int(answer.split()[0]))
        arrived[0].add(Arrival("127.0.0.1", socket.IPPROTO_TCP, own[0]))
        return answer

    monkeypatch.setattr(probes, "tcp", told)
    arrived[0] = set()
    assert (await outcome(world, reaches="alice", host="app1", port=tcp_port)).held
    assert own


async def test_cannot_reach_says_what_else_is_in_the_way(world: FakeWorld, tcp_port: int) -> None:
    step = {"cannotReach": "alice", "host": "app1", "port": 1}
    assert "alice has no tunnel" in (await outcome(world, **step)).detail
    world.alice.up = connection()
    assert "nothing listens there on app1 itself" in (await outcome(world, **step)).detail


async def test_ping_decides_for_icmp(world: FakeWorld) -> None:
    world.alice.node.prints["ping"] = Completed(0, "64 bytes: time=1 ms\n", "")
    assert (await outcome(world, reaches="alice", host="app1", protocol="icmp")).held
    world.alice.node.prints["ping"] = Completed(1, "1 packets transmitted, 0 received\n", "")
    assert not (await outcome(world, reaches="alice", host="app1", protocol="icmp")).held


async def test_a_name_is_asked_of_the_nodes_own_resolver(world: FakeWorld) -> None:
    world.alice.node.prints["getent"] = Completed(0, "10.1.1.4 STREAM app1\n10.1.1.4 DGRAM\n", "")
    found = await outcome(world, resolves="alice", name="app1", to="10.1.1.4")
    assert found.held
    assert found.evidence == {"nameservers": ["10.1.1.53"]}
    assert not (await outcome(world, resolves="alice", name="app1", to="10.9.9.9")).held
    world.alice.node.prints["getent"] = Completed(2, "", "")
    assert not (await outcome(world, resolves="alice", name="app1")).held


@pytest.mark.parametrize(
    ("code", "printed", "held"),
    [
        (0, f"{socket.EAI_NONAME}\n", True),
        (0, f"{socket.EAI_AGAIN}\n", False),
        (0, "", False),
        (1, "", False),
    ],
)
async def test_a_name_that_does_not_resolve_is_one_of_which_the_resolver_says_so(
    world: FakeWorld, code: int, printed: str, *, held: bool
) -> None:
    world.alice.node.prints[sys.executable] = Completed(code, printed, "")
    assert (await outcome(world, cannotResolve="alice", name="x.test")).held == held
