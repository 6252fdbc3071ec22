"""All the attacks at once beside honest clients of all protocols, for seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.soak import soak
from tests.rigs.gateway_bench import Bench, client
from tests.rigs.two_gateways import on_two_gateways

pytestmark = pytest.mark.alone


def test_no_ping_is_lost_and_nobody_is_kept_out_while_the_gateway_is_attacked(
    tmp_path: Path,
) -> None:
    """`./p2slab bench soak` goes on for minutes."""

    async def test(first: Bench, second: Bench) -> None:
        verdict = await soak(first, second, seconds=8.0)
        assert verdict["held"], json.dumps(verdict, indent=1)

    on_two_gateways(tmp_path, test, client("alice"))
