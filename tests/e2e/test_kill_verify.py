"""kill -9 of any part of a real `verify`, gateway, daemons and clients running: nothing is left."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from lab.observe.fingerprint import differences, fingerprint
from tests.e2e.test_process_tree import PARTS, SEED, Front
from tests.labs.traces import NamespaceWatch, marked

BATCHES, AT_ONCE = 8, 3
LONGEST = 5.0
"""Seconds: a quickstart is over after some four."""


class Verify(Front):
    """The verb itself, as the launcher starts it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        file = "topologies/quickstart.yaml"
        verify = ["-m", "lab.cli.main", "verify", "--name", name]
        self.argv = [sys.executable, *verify, file, "--keep"]


@pytest.fixture(autouse=True)
def _unchanged_machine() -> Iterator[None]:
    before = fingerprint()
    yield
    assert differences(before, fingerprint()) == []


async def test_killing_verify_at_any_moment_leaves_nothing() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for batch in range(BATCHES):
        watch = NamespaceWatch()
        fronts = [Verify(f"verify-{number}") for number in range(AT_ONCE)]
        moments = sorted((chance.uniform(0, LONGEST), chance.choice(list(PARTS)), front_number)
                         for front_number in range(AT_ONCE))  # fmt: skip
        for front in fronts:
            front.start()
        began = time.monotonic()
        for moment, part, number in moments:
            await asyncio.sleep(moment - (time.monotonic() - began))  # the moment, not a wait
            front = fronts[number]
            watch.add(marked(front.mark))
            os.kill(PARTS[part](front) or front.process.pid, signal.SIGKILL)
        try:
            for front in fronts:
                await front.is_gone(watch)
        except TimeoutError as error:
            error.add_note(f"seed {SEED}, batch {batch}: {moments}")
            raise
        watch.close()
