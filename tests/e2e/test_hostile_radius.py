"""A RADIUS server that sends arbitrary answers, and a user of the gateway who is not affected."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.waiting import wait_until
from tests.rigs.gateway_bench import PRIVATE
from tests.rigs.patience import PATIENCE
from tests.rigs.sstp_bench import connected, off, outcome, refusals
from tests.rigs.sstp_radius_bench import (
    ALICE,
    NODES,
    SECOND,
    SECRET,
    SERVER,
    Bench,
    on_a_gateway,
    typed,
)
from tests.unit.radius import servers
from tests.unit.radius.servers import ACCEPT, CHALLENGE, REJECT, attribute, parse, vendor

Answers = Callable[[bytes], list[bytes]]
EAP, STATE, REPLY_MESSAGE = 79, 24, 18
PROOF = b"S=" + 40 * b"A"
IGNORED = (
    "attributes",
    "authenticator",
    "flood",
    "length",
    "message-authenticator",
    "no-message-authenticator",
    "proxy-state",
    "unasked",
)
"""What another address says does not come so far: it is no answer (gateway.forwarding.reach)."""


class Hostile:
    """Sends configured answers, from its own address and from another."""

    def __init__(self, own: socket.socket, other: socket.socket) -> None:
        self.answers: Answers = lambda _request: []
        self.asked = 0
        self._own, self._other = own, other
        asyncio.get_running_loop().add_reader(own, self._readable)

    @classmethod
    async def start(cls, bench: Bench) -> Hostile:
        def bound(address: str) -> socket.socket:
            line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            line.bind((address, 1812))
            return line

        node = bench.nodes[NODES[SECOND]]
        return cls(
            await node.call(lambda: bound(SECOND)),
            await bench.nodes[NODES[SERVER]].call(lambda: bound(SERVER)),
        )

    def _readable(self) -> None:
        request, source = self._own.recvfrom(4096)
        self.asked += 1
        self._other.sendto(servers.reply(request, REJECT), source)
        for answer in self.answers(request):
            self._own.sendto(answer, source)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._own)
        self._own.close()
        self._other.close()


def anything(request: bytes) -> list[bytes]:
    """Everything that is wrong, and at last a right answer, twice."""
    right = servers.reply(request, REJECT, attribute(REPLY_MESSAGE, b"Account disabled"))
    accept = vendor(26, request[1:2] + PROOF) + servers.keys(request, bytes(16), bytes(16))
    return [
        b"",
        right[:10],
        bytes((ACCEPT,)) + right[1:],
        servers.reply(request, ACCEPT, accept, secret=b"another"),
        servers.reply(request, ACCEPT, accept, signed=False),
        servers.reply(request, ACCEPT, accept + attribute(80, bytes(16))),
        servers.reply(request, ACCEPT, accept + attribute(33, b"not ours")),
        servers.reply(request, ACCEPT, attribute(REPLY_MESSAGE, b"x") + b"\x12\xff"),
        servers.reply(request, ACCEPT, 300 * attribute(REPLY_MESSAGE, b"0123456789"))[:4096],
        right,
        right,
    ]


def without_keys(request: bytes) -> list[bytes]:
    (response,) = [value for kind, value in parse(request) if kind == 311025]
    return [servers.reply(request, ACCEPT, vendor(26, response[:1] + PROOF))]


def storm(request: bytes) -> list[bytes]:
    """An endless conversation: who are you?"""
    last = b"".join(value for kind, value in parse(request) if kind == EAP)
    question = bytes((1, last[1] + 1 & 255, 0, 5, 1))
    return [servers.reply(request, CHALLENGE, attribute(EAP, question) + attribute(STATE, b"s"))]


def test_whatever_a_radius_server_says_the_gateway_goes_on(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        honest = await bench.serve()
        await bench.gateway.put(bench.radius())
        alice = await connected(bench, "eve", user=ALICE)
        await honest.stop()
        hostile = await Hostile.start(bench)
        await bench.gateway.put(bench.radius(radiusServerAddress=SECOND))
        log = tmp_path / "gw" / "gateway.log"

        async def refused(answers: Answers, user: Any, number: int) -> tuple[str, str]:
            hostile.answers = answers
            await outcome(bench, "eve", "pc2", user=user)
            assert await off(lambda: alice.ping(PRIVATE))
            (*_, record) = await refusals(bench, number)
            return record["reason"], record["message"]

        raw = typed("bob", "b", "MS-CHAPv2")
        assert await refused(anything, raw, 1) == (
            "disabled",
            f"RADIUS server {SECOND}: Account disabled",
        )
        assert hostile.asked == 1
        assert (await refused(without_keys, raw, 2))[0] == "no-keys"
        assert await refused(storm, typed("bob", "b"), 3) == (
            "refused",
            "no end after 50 challenges",
        )
        assert 50 <= hostile.asked <= 53

        def told() -> list[str]:
            lines = log.read_text(errors="replace").splitlines()
            return [line for line in lines if "is ignored" in line]

        await wait_until("the last answer is looked at", PATIENCE, lambda: len(told()) >= 1)
        flaws = sorted(line.rpartition(": ")[2] for line in told())
        assert flaws == sorted(IGNORED), "one line each"
        assert SECRET not in log.read_text(errors="replace")
        assert (await bench.engine("SSTP"))["restarts"] == 0
        hostile.close()

    on_a_gateway(tmp_path, test)
