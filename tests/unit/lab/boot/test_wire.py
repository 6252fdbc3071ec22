from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.boot import wire
from lab.errors import UsageError
from lab.runtime.protocol import (
    Event,
    Exec,
    Failed,
    Ready,
    Stage,
    StepResult,
    event_as_data,
    event_of,
    request_of,
)

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


@pytest.mark.parametrize("size", [0, 10, wire.LARGEST - 20, wire.LARGEST, 5_000_000])
def test_a_message_of_any_size_arrives(pair: Pair, size: int) -> None:
    wire.send(pair[0], {"text": "x" * size})
    assert wire.receive(pair[1]) == ({"text": "x" * size}, [])


@pytest.mark.parametrize("size", [1, 100_000])
def test_descriptors_arrive_with_their_message(pair: Pair, size: int) -> None:
    reading, writing = os.pipe()
    wire.send(pair[0], {"text": "x" * size}, [reading])
    _, (copy,) = wire.receive(pair[1])
    os.write(writing, b"through")
    assert os.read(copy, 100) == b"through"
    assert not os.get_inheritable(copy)
    for descriptor in (reading, writing, copy):
        os.close(descriptor)


def test_a_large_message_leaves_no_descriptor_open(pair: Pair) -> None:
    before = _open()
    for _ in range(3):
        wire.send(pair[0], {"text": "x" * 100_000})
        wire.receive(pair[1])
    assert _open() == before


def _open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_other_side_s_end_is_reported(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(EOFError):
        wire.receive(pair[1])


@pytest.mark.parametrize(
    "event",
    [
        Stage(name="build", state="done", seconds=0.5, detail="9 nodes"),
        StepResult(index=3, verb="connects", text="x", held=True, detail="", seconds=1,
                   evidence={"log": ["a"]}),
        Ready(seconds=1.5),
        Failed(message="no", remedy=None, code=3),
    ],
    ids=lambda event: type(event).__name__,
)  # fmt: skip
def test_an_event_is_itself_again_after_its_way(pair: Pair, event: Event) -> None:
    wire.send(pair[0], event_as_data(event))
    assert event_of(wire.receive(pair[1])[0]) == event


def test_a_request_has_its_defaults() -> None:
    request = request_of({"request": "exec", "node": "alice", "argv": ["true"]})
    assert request == Exec(node="alice", argv=["true"], input="", limit=30.0)


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({}, "no such request: None"),
        ({"request": "dance"}, "one of: status, watch"),
        ({"request": "enter"}, "missing 1 required keyword-only argument: 'node'"),
        ({"request": "down", "now": True}, "unexpected keyword argument 'now'"),
    ],
)
def test_an_unknown_request_is_reported(message: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError) as refused:
        request_of(message)
    assert word in str(refused.value)
