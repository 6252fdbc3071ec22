"""The nodes on a probe's way, and which ports are listened on."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from lab.explain.follow import Followed, Sighting, path_between
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
