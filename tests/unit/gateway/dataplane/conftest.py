"""The fixtures of the data plane's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.dataplane import native
from tests.unit.gateway.dataplane.faketun import Tun
from tests.unit.gateway.dataplane.planes import Way


@pytest.fixture
def tun() -> Iterator[Tun]:
    made = Tun()
    yield made
    made.ours.close()
    made.theirs.close()


@pytest.fixture(params=["memory python", "socket native"])
def way(request: pytest.FixtureRequest) -> Way:
    tls, mover = request.param.split()
    made = Way(tls, native.load() if mover == "native" else None)
    assert made.native or mover == "python"
    return made
