"""Whose connection it is that a gateway sees."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.common.rotation import rotate
from lab.clients.origin import Origin
from lab.kernel.conntrack import Translation
from lab.kernel.netlink import KernelError

ALICE, BOB, PROXY, NAT = "192.168.77.10", "192.168.77.11", "192.168.77.2", "192.0.2.2"
GATEWAY = "203.0.113.2"
TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP


class Router:
    def __init__(self, *table: Translation | KernelError) -> None:
        self.table = table

    async def call(self, _: Callable[[], object]) -> list[Any]:
        if self.table and isinstance(self.table[0], KernelError):
            raise self.table[0]
        return list(self.table)


class Proxy:
    """Its log was rotated before the last line."""

    def __init__(self, run_directory: Path, *lines: str) -> None:
        self.run_directory = run_directory
        log = run_directory / "squid/access.log"
        log.parent.mkdir(parents=True)
        for number, line in enumerate(lines, 1):
            if number == len(lines):
                rotate(log, 0)
            with log.open("a") as file:
                file.write(f"{line}\n")


async def made(router: Router, protocol: str, ends: Sequence[int], proxy: Proxy | None) -> set[int]:
    via: Any = (PROXY, proxy) if proxy else None
    fake: Any = router
    told: Any = protocol
    own = await Origin(ALICE, fake, GATEWAY, via).made(told, {(NAT, port) for port in ends})
    return {port for _, port in own}


BOTH = (
    Translation(TCP, (ALICE, 40000), (NAT, 40000), GATEWAY),
    Translation(TCP, (BOB, 40000), (NAT, 1234), GATEWAY),
    Translation(UDP, (BOB, 4500), (NAT, 4500), GATEWAY),
    Translation(UDP, (BOB, 4500), (NAT, 1234), "203.0.113.6"),
    Translation(UDP, (ALICE, 4500), (NAT, 1234), GATEWAY),
)
"""Both from the same ports: the router had to choose others, but for another gateway."""


@pytest.mark.parametrize(
    ("protocol", "own"), [("OpenVPN", {40000}), ("SSTP", {40000}), ("IkeV2", {1234})]
)
async def test_behind_a_router_the_port_tells_whose_it_is(protocol: str, own: set[int]) -> None:
    assert await made(Router(*BOTH), protocol, (40000, 4500, 1234, 999, 0), None) == own


async def test_two_gateways_see_the_same_port_of_the_router() -> None:
    """A port is translated for each destination."""
    table = [
        Translation(UDP, (who, 4500), (NAT, 4500), to)
        for who, to in ((ALICE, "192.0.2.3"), (BOB, "192.0.2.4"))
    ]
    for rows in (table, table[::-1]):
        fake: Any = Router(*rows)
        for gateway, own in (("192.0.2.3", {(NAT, 4500)}), ("192.0.2.4", set())):
            origin = Origin(ALICE, fake, gateway)
            assert await origin.made("IkeV2", {(NAT, 4500)}) == own


async def test_without_nat_it_is_the_address() -> None:
    fake: Any = Router()
    ends = {(ALICE, 7), (BOB, 8), (NAT, 9)}
    assert await Origin(ALICE, fake, GATEWAY).made("SSTP", ends) == {(ALICE, 7)}


async def test_a_kernel_that_does_not_tell_leaves_it_open() -> None:
    router = Router(KernelError(95, "conntrack -L", None))
    assert await made(router, "SSTP", (40000,), None) == set()


async def test_a_proxys_connection_is_that_callers_for_whom_it_was_made(tmp_path: Path) -> None:
    rows = [
        Translation(TCP, (PROXY, port), (NAT, port + 1), GATEWAY) for port in (100, 200, 300, 400)
    ]
    rows.append(Translation(TCP, (ALICE, 100), (NAT, 999), GATEWAY))  # not through the proxy
    ends = (101, 201, 301, 401, 999)
    # 300 is still open; 400 was bob's before it was alice's; a refused CONNECT has no port
    log = Proxy(
        tmp_path / "one", f"{ALICE} 100", f"{BOB} 200", f"{BOB} 400", f"{ALICE} 400", f"{ALICE} -"
    )
    assert await made(Router(*rows), "OpenVPN", ends, log) == {101, 401}
    assert await made(Router(*rows), "OpenVPN", ends, Proxy(tmp_path / "other")) == set()
