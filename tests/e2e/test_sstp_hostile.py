"""Strangers and insiders at the real gateway program, beside honest clients who notice nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.nodes.base import Process
from lab.waiting import wait_until
from tests.labs import sstp_hostile
from tests.labs.gateway_bench import FQDN, PRIVATE, PUBLIC, Bench, client, on_a_gateway

DIRECTORY = "/run/people"
LIMIT = 60.0
HALF_OPEN = 1000


async def files(bench: Bench, node: str, name: str) -> list[str]:
    """Put somebody's certificate into a node; the options that name it."""
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
    """A running program of tests.labs.sstp_people."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, bench: Bench, node: str, kind: str, *options: str) -> People:
        words = await files(bench, node, "alice")
        argv = [sys.executable, "-m", "tests.labs.sstp_people", kind, *words, *options]
        return cls(await bench.nodes[node].spawn(argv, log=f"people-{kind}"))

    def lines(self) -> list[dict[str, Any]]:
        said = self._process.log.read_text()
        return [json.loads(line) for line in said.split("\n")[:-1] if line.startswith("{")]

    async def line(self, number: int) -> dict[str, Any]:
        """The line of that number, once it is there."""

        def there() -> list[dict[str, Any]]:
            assert self._process.code in (None, 0), self._process.log.read_text()
            return self.lines()[number : number + 1]

        return (await wait_until(f"line {number} of the people", LIMIT, there))[0]

    async def all(self) -> list[dict[str, Any]]:
        """Every line, once the program has ended by itself."""
        async with asyncio.timeout(LIMIT):
            code = await self._process.wait()
        assert code == 0, self._process.log.read_text()
        return self.lines()

    async def stop(self) -> dict[str, Any]:
        """Let honest people stop; how they fared."""
        self._process.signal(signal.SIGTERM)
        return (await self.all())[-1]


def assert_nothing_was_lost(last: dict[str, Any], count: int) -> None:
    assert last["when"] == "in all"
    assert last["up"] == count, last
    assert last["sent"] == last["answered"] > 0, last


def assert_held(lines: Sequence[dict[str, Any]]) -> None:
    failed = [json.dumps(line) for line in lines if not line["held"]]
    assert not failed, "\n".join(failed)


def test_strangers_are_answered_as_the_specification_says_and_logged_in_a_line_each(
    tmp_path: Path,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        honest = await People.start(bench, "pc1", "honest", "--count=3")
        assert (await honest.line(0))["up"] == 3
        await files(bench, "pc2", "alice")
        argv = [sys.executable, "-m", "tests.labs.sstp_hostile", PUBLIC, FQDN,
                f"{DIRECTORY}/root.pem"]  # fmt: skip
        told = await bench.nodes["pc2"].run(argv, limit=LIMIT)
        lines = [json.loads(line) for line in told.stdout.splitlines()]
        assert len(lines) == len(sstp_hostile.CASES), told.said
        assert_held(lines)
        assert_nothing_was_lost(await honest.stop(), 3)
        refused = Counter(record["reason"] for record in await bench.records("refused"))
        closed = [case for case, (_, answer) in sstp_hostile.CASES.items() if answer != "lives"]
        assert refused["protocol"] == len(closed), await bench.gateway.log()

    on_a_gateway(tmp_path, test, client("alice"))


def test_insiders_are_thrown_out_or_harmless(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        honest = await People.start(bench, "pc1", "honest", "--count=3")
        assert (await honest.line(0))["up"] == 3
        insiders = await People.start(bench, "pc2", "insiders")
        assert_held(await insiders.all())
        assert_nothing_was_lost(await honest.stop(), 3)
        refused = Counter(record["reason"] for record in await bench.records("refused"))
        assert refused["binding"] == 4, await bench.gateway.log()

    on_a_gateway(tmp_path, test, client("alice"))


def test_a_thousand_half_open_connections_keep_nobody_out(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        memory = (await bench.gateway.runtime())["memory"]
        honest = await People.start(bench, "pc1", "honest", "--count=3")
        assert (await honest.line(0))["up"] == 3
        argv = [sys.executable, "-m", "tests.labs.sstp_hostile", PUBLIC, FQDN,
                "--half-open", str(HALF_OPEN)]  # fmt: skip
        flood = await bench.nodes["pc2"].spawn(argv, log="flood")

        def opened() -> bool:
            return str(HALF_OPEN) in flood.log.read_text()

        await wait_until("they are open", LIMIT, opened)
        late = await People.start(bench, "pc3", "honest", "--count=3")
        assert (await late.line(0))["up"] == 3
        assert_nothing_was_lost(await late.stop(), 3)
        assert_nothing_was_lost(await honest.stop(), 3)
        await flood.stop()
        assert (await bench.gateway.runtime())["memory"] < memory + 100_000_000
        assert len(await bench.gateway.log()) < 300

    on_a_gateway(tmp_path, test, client("alice"))
