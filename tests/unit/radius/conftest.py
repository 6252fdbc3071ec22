"""The fixtures of the RADIUS client's tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.radius.clients import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    for each in bench.open:
        each.close()
    await asyncio.sleep(0)
