"""The fixtures of the data plane's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.gateway.dataplane.faketun import Tun


@pytest.fixture
def tun() -> Iterator[Tun]:
    made = Tun()
    yield made
    made.ours.close()
    made.theirs.close()
