"""Translations of a real NAT, in the test's own network namespace."""

from __future__ import annotations

import socket

import pytest

from lab.kernel import nft, requests
from lab.kernel.conntrack import translations
from lab.kernel.netlink import Netlink
from lab.kernel.requests import LOOPBACK
from tests.rigs.isolated import isolated

NAT = """
table inet nat {
  chain hide {
    type nat hook postrouting priority srcnat;
    ip saddr 127.0.0.7 tcp dport 443 snat ip to 127.0.0.9:7777
    ip saddr 127.0.0.7 udp dport 500 snat ip to 127.0.0.9:7777
  }
}
"""


@pytest.mark.parametrize(
    ("kind", "protocol", "port"),
    [
        (socket.SOCK_STREAM, socket.IPPROTO_TCP, 443),
        (socket.SOCK_DGRAM, socket.IPPROTO_UDP, 500),
    ],
)
def test_a_connection_has_the_end_that_it_came_from(
    kind: socket.SocketKind, protocol: int, port: int
) -> None:
    def try_it() -> None:
        Netlink().apply([requests.up(LOOPBACK)])
        nft.run(NAT)
        with socket.socket(type=kind) as server, socket.socket(type=kind) as client:
            server.bind(("127.0.0.1", port))
            if kind == socket.SOCK_STREAM:
                server.listen()
            client.bind(("127.0.0.7", 0))
            client.connect(("127.0.0.1", port))
            client.send(b"x")
            inside = client.getsockname()
        (row,) = translations()
        expected = (protocol, inside, ("127.0.0.9", 7777), "127.0.0.1")
        assert (row.protocol, row.inside, row.outside, row.to) == expected

    isolated(try_it)


def test_without_connections_there_are_none() -> None:
    def try_it() -> None:
        nft.run(NAT)
        assert translations() == []

    isolated(try_it)
