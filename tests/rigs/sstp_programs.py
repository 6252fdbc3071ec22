"""The programs of tests.rigs.sstp_people and sstp_hostile in nodes of the gateway bench."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import Any, Literal

from lab.nodes.base import Process
from lab.waiting import wait_until
from tests.rigs.gateway_bench import FQDN, PRIVATE, PUBLIC, Bench
from tests.rigs.patience import PATIENCE

DIRECTORY = "/run/people"


async def files(bench: Bench, node: str, name: str) -> list[str]:
    """Put a user's certificate into a node; return the options that name it."""
    credential = bench.credentials[name]
    at = {
        "root": bench.credentials["public-root"].certificate_pem,
        "certificate": credential.chain_pem,
        "key": credential.key_pem,
    }
    for what, content in at.items():
        await bench.nodes[node].write(f"{DIRECTORY}/{what}.pem", content, 0o600)
    return [
        *("--server", PUBLIC, "--name", FQDN, "--user", name, "--ping", PRIVATE),
        *(word for what in at for word in (f"--{what}", f"{DIRECTORY}/{what}.pem")),
    ]


class People:
    """Honest users: a running program of tests.rigs.sstp_people, one per node."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, bench: Bench, node: str, *options: str) -> People:
        words = await files(bench, node, "alice")
        argv = [sys.executable, "-m", "tests.rigs.sstp_people", "honest", *words, *options]
        return cls(await bench.nodes[node].spawn(argv, log="honest-people"))

    def lines(self) -> list[dict[str, Any]]:
        said = self._process.log.read_text()
        return [json.loads(line) for line in said.split("\n")[:-1] if line.startswith("{")]

    async def line(self, number: int) -> dict[str, Any]:
        """The line with this number, once it is printed."""

        def there() -> list[dict[str, Any]]:
            assert self._process.code in (None, 0), self._process.log.read_text()
            return self.lines()[number : number + 1]

        return (await wait_until(f"line {number} of the people", PATIENCE, there))[0]

    async def stop(self) -> dict[str, Any]:
        """Stop them; return how they fared."""
        self._process.signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            code = await self._process.wait()
        assert code == 0, self._process.log.read_text()
        return self.lines()[-1]


async def insiders(
    bench: Bench, node: str, kind: Literal["insiders", "silent"] = "insiders"
) -> list[dict[str, Any]]:
    """Run the insiders, who have valid certificates; return the outcomes."""
    words = await files(bench, node, "alice")
    argv = [sys.executable, "-m", "tests.rigs.sstp_people", kind, *words]
    return await _told(bench, node, argv)


async def strangers(bench: Bench, node: str, *cases: str) -> list[dict[str, Any]]:
    """Run the strangers' cases, by default all quick ones; return the outcomes."""
    await files(bench, node, "alice")
    argv = [sys.executable, "-m", "tests.rigs.sstp_hostile", PUBLIC, FQDN,
            f"{DIRECTORY}/root.pem", *cases]  # fmt: skip
    return await _told(bench, node, argv)


async def _told(bench: Bench, node: str, argv: list[str]) -> list[dict[str, Any]]:
    told = await bench.nodes[node].run(argv, limit=3 * PATIENCE)
    assert told.code == 0, told.output
    return [json.loads(line) for line in told.stdout.splitlines()]


async def flood(bench: Bench, node: str, count: int) -> Process:
    """Open this many connections, silent until the program is stopped."""
    argv = [sys.executable, "-m", "tests.rigs.sstp_hostile", PUBLIC, FQDN,
            "--half-open", str(count)]  # fmt: skip
    process = await bench.nodes[node].spawn(argv, log="flood")

    def opened() -> bool:
        assert process.code is None, process.log.read_text()
        return str(count) in process.log.read_text()

    await wait_until("they are open", PATIENCE, opened)
    return process
