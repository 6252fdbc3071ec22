"""The nodes on a probe's way, and which ports are listened on."""

from __future__ import annotations

import socket
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lab.explain.follow import Dropped, Followed, Sighting, assign, path_between
from lab.explain.packets import TRACED, Packet, Target
from lab.explain.ports import listening, takes


def plan(*cables: tuple[str, str]) -> Any:
    ends = [SimpleNamespace(a=SimpleNamespace(node=a), b=SimpleNamespace(node=b))
            for a, b in cables]  # fmt: skip
    return SimpleNamespace(links=ends)


def test_the_way_with_the_fewest_cables() -> None:
    lab = plan(("internet", "gw"), ("internet", "home"), ("home", "alice"), ("vnet", "gw"))
    assert path_between(lab, "alice", "vnet") == ["alice", "home", "internet", "gw", "vnet"]
    assert path_between(lab, "alice", "alice") == ["alice"]
    assert path_between(lab, "alice", "nowhere") == []


def test_the_last_node_that_saw_the_probe() -> None:
    way = Followed("tcp/80 to x", "x", ("alice", "home", "gw"))
    assert not way.last
    way.sightings.append(Sighting("home", "lan", leaving=False, at=1.0, text=""))
    assert (way.last, way.arrived) == ("home", False)
    assert way.trail == "seen at home arriving (lan); not seen at alice, gw"


def test_a_socket_takes_its_own_address_or_any() -> None:
    sockets = "127.0.0.1:80 0.0.0.0:443 *:53"
    assert not takes(sockets, "10.1.1.4", 80)
    assert takes(sockets, "127.0.0.1", 80)
    assert takes(sockets, "10.1.1.4", 443)
    assert takes(sockets, "10.1.1.4", 53)
    assert not takes("", "10.1.1.4", 53)


def test_the_kernels_table_has_what_listens_and_nothing_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as quiet:
        quiet.bind(("127.0.0.1", 0))
        assert takes(listening("tcp"), "127.0.0.1", server.getsockname()[1])
        assert not takes(listening("tcp"), "127.0.0.1", quiet.getsockname()[1])
    with socket.socket(type=socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
        assert takes(listening("udp"), "127.0.0.1", port)
        assert not takes(listening("udp"), "127.0.0.2", port)


def test_a_drop_is_of_the_probe_of_its_answer_or_of_an_error() -> None:
    target = Target("10.1.1.4", socket.IPPROTO_UDP, 53, b"p" * 24)
    probe = Packet("a", "10.1.1.4", socket.IPPROTO_UDP, 4000, 53, payload=b"p" * TRACED)
    other = replace(probe, payload=b"q" * TRACED)
    answer = Packet("10.1.1.4", "a", socket.IPPROTO_UDP, 53, 4000)
    error = Packet("b", "a", socket.IPPROTO_ICMP, kind=3, code=4, mtu=1400)
    for packet, expected in (
        (probe, (True, False, False)),
        (None, (True, False, False)),
        (other, (False, False, False)),
        (answer, (False, True, False)),
        (error, (False, False, True)),
    ):
        followed = Followed("udp/53", "10.1.1.4", ("alice", "app1"))
        assign(followed, target, [(Dropped("n", "chain", "drop"), packet)])
        found = (followed.dropped, followed.answer_dropped, followed.silenced)
        assert tuple(map(bool, found)) == expected, packet


def test_what_is_dropped_on_arrival_has_not_arrived() -> None:
    way = Followed("tcp/80 to x", "x", ("app1",))
    way.sightings.append(Sighting("app1", "eth0", leaving=False, at=1.0, text=""))
    assert way.arrived
    way.dropped = Dropped("app1", "chain", "drop")
    assert not way.arrived
