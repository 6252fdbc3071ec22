"""RADIUS and Active Directory alone, without a VPN around (a part of `p2slab bench radius`).

Active Directory: seconds from bare nodes to the first accepted login of a domain user, made anew
and from the cache, and of the latter from the start of the controller's daemon. Authentications by
the gateway's client: milliseconds each one after the other, and how many a second 50 at a time,
of FreeRADIUS's own users, behind the push proxy (the ratio to without is told), and of the
domain's (winbind).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from gateway.ppp.events import MsChapV2Attempt
from gateway.ppp.mschapv2 import nt_password_hash, nt_response
from lab.roles.directory import Computer, group_sid, start_domain
from lab.roles.radius_server import start_radius
from radius.attributes import Call, Nas
from radius.client import RadiusClient
from radius.directory import CONTROLLER, Domain, User
from radius.freeradius_instance import Domain as Membership
from radius.freeradius_instance import Instance
from radius.packet import Server
from radius.verdict import Accept
from tests.rigs.radius_bench import CLIENTS, GATEWAY, SECRET, SERVER, Bench, on_a_bench

PASSWORD = "Pa55w0rd!"
DOMAIN = Domain("corp.test", (User("alice", PASSWORD, ("vpn",)),), ("NPS1",))
ONE_BY_ONE, TOGETHER, AT_ONCE = 50, 400, 50
LOCAL = Instance(SERVER, CLIENTS, {"alice": PASSWORD}, ("PAP", "MS-CHAPv2"))


def attempt() -> MsChapV2Attempt:
    """Alice's answer to a challenge."""
    ours, theirs = os.urandom(16), os.urandom(16)
    answer = nt_response(ours, theirs, "alice", nt_password_hash(PASSWORD))
    return MsChapV2Attempt("alice", ours, theirs, answer, 1)


async def asked(bench: Bench, work: Callable[[RadiusClient], Awaitable[Any]]) -> Any:
    """Work at the gateway."""

    async def there() -> Any:
        client = RadiusClient([Server(SERVER, SECRET.encode())], Nas("RD0", GATEWAY))
        try:
            return await work(client)
        finally:
            client.close()

    return await bench.nodes["gw"].call(lambda: asyncio.run(there()))


async def login(client: RadiusClient) -> float:
    """One; seconds."""
    began = time.perf_counter()
    verdict = await client.mschapv2(Call("192.0.2.9", 1), attempt())
    assert isinstance(verdict, Accept), verdict
    return time.perf_counter() - began


async def measure(client: RadiusClient) -> dict[str, float]:
    """One after the other, then many at once."""
    single = [await login(client) for _ in range(ONE_BY_ONE)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await login(client)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(TOGETHER)))
    rate = TOGETHER / (time.perf_counter() - began)
    return {"ms": 1000 * median(single), "worst ms": 1000 * max(single), "a second": rate}


async def directory(bench: Bench) -> dict[str, float]:
    """Bring the domain up; seconds to its first login, in all and of the daemons."""
    node = bench.nodes["nps1"]
    computers = [
        Computer(CONTROLLER, bench.nodes["dc1"], bench.addresses["dc1"]),
        Computer("NPS1", node, bench.addresses["nps1"]),
    ]
    began = time.perf_counter()
    process = await start_domain(DOMAIN, computers[0], computers[1:])
    argv = ["ntlm_auth", "--helper-protocol=squid-2.5-basic"]
    done = await node.run(argv, input=f"CORP\\alice {PASSWORD}\n")
    assert done.stdout == "OK\n", done.output
    ended = time.perf_counter()
    daemons = time.clock_gettime(time.CLOCK_BOOTTIME) - born(process.pid)
    return {"seconds": ended - began, "of the daemons": daemons}


def born(pid: int) -> float:
    """When a process was started: seconds since the machine was (proc(5), starttime)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def on(test: Callable[[Bench], Awaitable[dict[str, float]]]) -> dict[str, float]:
    """Measure in nodes of its own; what it says comes back by a file."""
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / "result"

        async def there(bench: Bench) -> None:
            measured = await test(bench)
            await asyncio.to_thread(result.write_text, json.dumps(measured))

        on_a_bench(Path(place), there)
        found: dict[str, float] = json.loads(result.read_text())
        return found


async def plain(bench: Bench) -> dict[str, float]:
    await start_radius(bench.nodes["nps1"], LOCAL)
    return dict(await asked(bench, measure))


async def behind_the_door(bench: Bench) -> dict[str, float]:
    await start_radius(bench.nodes["nps1"], LOCAL, 0.0)
    return dict(await asked(bench, measure))


async def of_the_domain(bench: Bench) -> dict[str, float]:
    await directory(bench)
    sid = await group_sid(bench.nodes["nps1"], "CORP", "vpn")
    member = Instance(SERVER, CLIENTS, {}, ("PAP", "MS-CHAPv2"), domain=Membership("CORP", sid))
    await start_radius(bench.nodes["nps1"], member)
    return dict(await asked(bench, measure))


def told(what: str, numbers: Sequence[dict[str, float]]) -> dict[str, float]:
    """A line of medians."""
    row = {word: median(run[word] for run in numbers) for word in numbers[0]}
    print(
        f"{what:<42}" + "  ".join(f"{word} {value:8.2f}" for word, value in row.items()),
        file=sys.stderr,
    )
    return row


def measure_servers(runs: int) -> dict[str, Any]:
    """All of it, with a cache of its own; the domain is taken from what was kept `runs` times."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["P2SLAB_CACHE"] = cache
        cold = told("Active Directory, made anew", [on(directory)])
        warm = told(f"Active Directory, kept ({runs} times)", [on(directory) for _ in range(runs)])
        alone = told("MS-CHAPv2, FreeRADIUS's own user", [on(plain)])
        proxy = told("MS-CHAPv2, behind the push proxy", [on(behind_the_door)])
        domain = told("MS-CHAPv2, a user of the domain", [on(of_the_domain)])
    ratios = {
        "anew/kept": cold["seconds"] / warm["seconds"],
        "with/without proxy": proxy["ms"] / alone["ms"],
        "domain/own": domain["ms"] / alone["ms"],
    }
    for what, ratio in ratios.items():
        print(f"{'':<42}{what} {ratio:.1f}", file=sys.stderr)
    return {"cold": cold, "kept": warm, "own": alone, "proxy": proxy, "domain": domain} | ratios
