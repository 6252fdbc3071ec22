"""`throughput`: what iperf3 reports, and how it is compared."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from lab.checks.throughput import (
    FIRST_PORT,
    Measured,
    NoResultError,
    compare,
    received,
    throughput,
)
from lab.nodes import probes
from lab.nodes.base import Completed
from lab.topology.model.steps import Steps, Throughput, text_of
from tests.unit.lab.checks.fakes import FakeNode, FakeWorld


def report(up: float, down: float = 0.0) -> str:
    """iperf3's, as far as it is read."""
    ways = {"sum_received": {"bits_per_second": up * 1e6, "seconds": 5.0}}
    other = {"bits_per_second": down * 1e6, "seconds": 5.0}
    back = {"sum_received_bidir_reverse": other} if down else {}
    return json.dumps({"start": {}, "end": {"sum_sent": {"bits_per_second": 9e9}, **ways, **back}})


class Server:
    """A process that runs."""

    code: int | None = None
    log = Path(os.devnull)
    stopped = False

    async def stop(self, limit: float = 5.0) -> int:
        assert limit
        self.stopped = True
        return 0


class Host(FakeNode):
    """Every server listens at once."""

    def __init__(self) -> None:
        super().__init__("app1")
        self.servers: list[Server] = []
        self.spawned: list[list[str]] = []

    async def spawn(self, argv: list[str], *, log: str, env: None = None) -> Server:
        assert log.startswith("iperf3-")
        assert env is None
        self.spawned.append(argv)
        self.servers.append(Server())
        return self.servers[-1]

    async def call(self, function: Any) -> Any:
        return True


def run(step: dict[str, Any], **reports: str) -> tuple[bool, str, FakeWorld, Host]:
    """The outcome when computers report this."""
    world, host = FakeWorld(), Host()
    world.nodes["app1"] = host
    for name, text in reports.items():
        world.nodes[name].prints["iperf3"] = Completed(0, text, "")
    (parsed,) = Steps.validate_python([step])
    assert isinstance(parsed, Throughput)
    outcome = asyncio.run(throughput(parsed, world))  # type: ignore[arg-type]
    assert all(server.stopped for server in host.servers)
    return outcome.held, outcome.detail, world, host


@pytest.mark.parametrize(
    ("limits", "held"),
    [
        ({"atLeast": 30}, True),
        ({"atLeast": 30.1}, False),
        ({"atMost": 30}, True),
        ({"atMost": 29.9}, False),
        ({"atLeast": 29, "atMost": 31}, True),
        ({"atMost": 20, "of": "bob"}, True),
        ({"atMost": 19, "of": "bob"}, False),
        ({"atLeast": 11, "of": "alice"}, False),
    ],
)
def test_the_sum_or_ones_part_is_compared(limits: dict[str, Any], held: bool) -> None:
    step = {"throughput": ["alice", "bob"], "host": "app1", **limits}
    found, detail, _, host = run(step, alice=report(10), bob=report(20))
    assert found is held
    assert detail.endswith("Mbit/s (alice 10.0, bob 20.0)")
    assert [argv[-1] for argv in host.spawned] == [str(FIRST_PORT), str(FIRST_PORT + 1)]


@pytest.mark.parametrize(
    ("limits", "held"),
    [
        ({"atMost": 26}, True),
        ({"atMost": 24.9}, False),
        ({"atLeast": 30}, True),
        ({"atLeast": 30.1}, False),
        ({"atMost": 19.9, "of": "bob"}, False),
    ],
)
def test_a_sum_of_those_who_do_not_begin_together_breaks_only_what_it_surely_breaks(
    limits: dict[str, Any], held: bool
) -> None:
    """150 Mbit in the six seconds from the first one's start to the last one's end."""
    parts = {"alice": Measured(10, 5, 100, 105), "bob": Measured(20, 5, 101, 106)}
    (step,) = Steps.validate_python([{"throughput": ["alice", "bob"], "host": "app1", **limits}])
    assert isinstance(step, Throughput)
    outcome = compare(step, parts)
    assert outcome.held is held
    total = "20.0" if "of" in limits else "25.0 to 30.0"
    assert outcome.detail == f"{total} Mbit/s (alice 10.0, bob 20.0)"


@pytest.mark.parametrize(
    ("direction", "words"), [("up", []), ("down", ["--reverse"]), ("both", ["--bidir"])]
)
def test_the_direction_is_iperf3s(direction: str, words: list[str]) -> None:
    step = {
        "throughput": "alice",
        "host": "app1",
        "direction": direction,
        "atLeast": 1,
        "for": "3s",
    }
    _, _, world, _ = run(step, alice=report(10))
    (argv,) = world.nodes["alice"].ran
    assert argv[argv.index("--time") + 1] == "3"
    assert [word for word in argv if word in ("--reverse", "--bidir")] == words


def test_both_directions_are_added_up() -> None:
    assert received(report(10, 20)) == pytest.approx((30, 5))


def test_what_was_sent_and_did_not_arrive_does_not_count() -> None:
    assert received(report(1)) == pytest.approx((1, 5))


def test_who_measures_nothing_is_named_and_nothing_holds() -> None:
    step = {"throughput": ["alice", "bob"], "host": "app1", "atMost": 100}
    words = json.dumps({"error": "unable to connect to server: Connection refused"})
    held, detail, _, _ = run(step, alice=report(10), bob=words)
    assert not held
    assert detail == "bob: iperf3: unable to connect to server: Connection refused"


def test_no_report_is_no_result() -> None:
    with pytest.raises(NoResultError, match="gave no report"):
        received("Killed")


def test_a_server_that_ends_is_quoted() -> None:
    step = {"throughput": "alice", "host": "app1", "atLeast": 1}
    (parsed,) = Steps.validate_python([step])
    world, host = FakeWorld(), Host()
    world.nodes["app1"] = host
    Server.code = 1
    try:
        with pytest.raises(NoResultError, match="iperf3 on port 5202 of app1: it said nothing"):
            asyncio.run(throughput(parsed, world))  # type: ignore[arg-type]
    finally:
        Server.code = None


def test_the_step_in_a_line() -> None:
    step = {"throughput": ["alice", "bob"], "host": "app1", "of": "bob", "atMost": 20}
    (parsed,) = Steps.validate_python([step])
    assert text_of(parsed) == "alice, bob throughput host app1 of bob atMost 20.0"


def test_a_port_is_probed_without_a_connection() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not probes.is_listened_on(port)
        server.listen()
        assert probes.is_listened_on(port)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
