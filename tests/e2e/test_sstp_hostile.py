"""Hostile strangers and users at the real gateway program; honest clients are not affected."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.sstp_soak import resident, soak
from tests.rigs import sstp_hostile
from tests.rigs.gateway_bench import Bench, client, on_a_gateway
from tests.rigs.sstp_programs import People, flood, insiders, strangers

HALF_OPEN = 1000


def assert_nothing_was_lost(last: dict[str, Any], count: int) -> None:
    assert last["when"] == "in all"
    assert last["up"] == count, last
    assert last["sent"] == last["answered"] > 0, last


def assert_held(lines: Sequence[dict[str, Any]]) -> None:
    failed = [json.dumps(line) for line in lines if not line["held"]]
    assert not failed, "\n".join(failed)


async def honest(bench: Bench, node: str) -> People:
    """Three, who are connected."""
    people = await People.start(bench, node, "--count=3")
    assert (await people.line(0))["up"] == 3
    return people


def test_strangers_are_answered_as_the_specification_says_and_logged_in_a_line_each(
    tmp_path: Path,
) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        good = await honest(bench, "pc1")
        lines = await strangers(bench, "pc2")
        assert len(lines) == len(sstp_hostile.CASES)
        assert_held(lines)
        assert_nothing_was_lost(await good.stop(), 3)
        refused = Counter(record["reason"] for record in await bench.records("refused"))
        closed = [case for case, (_, answer) in sstp_hostile.CASES.items() if answer != "lives"]
        assert refused["protocol"] == len(closed), await bench.gateway.log()

    on_a_gateway(tmp_path, test, client("alice"))


def test_insiders_are_thrown_out_or_harmless(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        good = await honest(bench, "pc1")
        assert_held(await insiders(bench, "pc2"))
        assert_nothing_was_lost(await good.stop(), 3)
        refused = Counter(record["reason"] for record in await bench.records("refused"))
        assert refused["binding"] == 4, await bench.gateway.log()

    on_a_gateway(tmp_path, test, client("alice"))


def test_a_thousand_half_open_connections_keep_nobody_out(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await bench.gateway.put(bench.document("SSTP"))
        memory = await resident(bench)
        good = await honest(bench, "pc1")
        process = await flood(bench, "pc2", HALF_OPEN)
        late = await honest(bench, "pc3")
        assert_nothing_was_lost(await late.stop(), 3)
        assert_nothing_was_lost(await good.stop(), 3)
        await process.stop()
        assert await resident(bench) < memory + 64_000_000
        assert len(await bench.gateway.log()) < 300

    on_a_gateway(tmp_path, test, client("alice"))


def test_a_soak_of_seconds_holds(tmp_path: Path) -> None:
    """`./p2slab bench sstp-soak` goes on for minutes."""

    async def test(bench: Bench) -> None:
        verdict = await soak(bench, seconds=5.0, honest=5, half_open=100, slow=False)
        assert verdict["held"], json.dumps(verdict, indent=2)

    on_a_gateway(tmp_path, test, client("alice"))
