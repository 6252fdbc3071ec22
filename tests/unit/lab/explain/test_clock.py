"""A clock that is wrong is shown beside the right one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lab.explain.clock import Clocks, judge, look_at_clocks
from lab.nodes.base import Completed
from tests.unit.lab.checks.fakes import FakeNode
from tests.unit.lab.explain.test_dial import attempt, broken, record

RIGHT = datetime(2026, 11, 30, 12, tzinfo=UTC)
FIRST, LAST = RIGHT - timedelta(days=1), RIGHT + timedelta(days=365)


def clocks(days: int) -> Clocks:
    return Clocks("alice", RIGHT + timedelta(days=days), "gw", RIGHT, FIRST, LAST)


@pytest.mark.parametrize(
    ("days", "words"),
    [(-2, "is not valid yet"), (400, "has expired"), (2, "such as its user's")],
)
def test_both_times_are_told_and_what_follows(days: int, words: str) -> None:
    found = judge(clocks(days), ("the client: VERIFY ERROR",), 0.0)
    own = (RIGHT + timedelta(days=days)).isoformat()
    assert found.layer == "certificate"
    assert own in found.cause
    assert RIGHT.isoformat() in found.cause
    assert words in found.cause
    assert found.proof[-1] == "the client: VERIFY ERROR"


def test_a_clock_explains_what_the_client_says_of_certificates_alone() -> None:
    assert "clock" in broken(attempt(reason="server-untrusted", clocks=clocks(-2))).cause
    gateways = attempt(reason="refused", record=record("untrusted"), clocks=clocks(-2))
    assert "clock" not in broken(gateways).cause
    assert "clock" not in broken(attempt(reason="server-untrusted")).cause


async def test_clocks_are_read_at_both() -> None:
    nodes = {name: FakeNode(name) for name in ("alice", "gw")}
    placement = SimpleNamespace(serverCertificate=SimpleNamespace(certificate="/server.pem"))
    plan = SimpleNamespace(gateways=[SimpleNamespace(name="gw", placement=placement)])
    world: Any = SimpleNamespace(nodes=nodes, plan=plan)
    gateway = SimpleNamespace(name="gw")
    client: Any = SimpleNamespace(name="alice", node=nodes["alice"], gateway=gateway)
    seconds = RIGHT.timestamp()
    nodes["gw"].prints = {
        "date": Completed(0, f"{seconds:.0f}\n", ""),
        "openssl": Completed(
            0, "notBefore=Nov 29 12:00:00 2026 GMT\nnotAfter=Nov 30 12:00:00 2027 GMT\n", ""
        ),
    }
    nodes["alice"].prints["date"] = Completed(0, f"{seconds + 30:.0f}\n", "")
    assert await look_at_clocks(client, world) is None
    nodes["alice"].prints["date"] = Completed(0, f"{seconds - 2 * 86_400:.0f}\n", "")
    seen = await look_at_clocks(client, world)
    assert seen == clocks(-2)


@pytest.mark.parametrize(("days", "words"), [(-2, "2.0 days behind"), (400, "400.0 days ahead")])
def test_how_far_it_is_wrong(days: int, words: str) -> None:
    assert f"the clock of alice is {words}: " in judge(clocks(days), (), 0.0).cause
