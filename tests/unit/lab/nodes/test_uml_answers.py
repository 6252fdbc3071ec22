"""A guest's agent that is not ours: every invalid answer is an error of that node."""

from __future__ import annotations

import asyncio
import errno
import json
import pickle
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.charon import datapath
from lab.errors import LabError
from lab.guest import wire
from lab.guest.wire import BODY, DONE, ENDED, FAILED, OUTPUT, RAISED, STARTED
from lab.nodes import probes, uml_answers
from lab.nodes.namespace import NamespaceNode
from lab.nodes.uml import UmlNode
from lab.nodes.uml_answers import AgentError, Answers, name_of
from lab.nodes.uml_program import Line
from lab.topology.planning.plan import NodePlan, Plan

PLAN = Plan("", "", (NodePlan("pc", "client"),), (), (), (), (), ())
FIND = datapath.find
REACH = partial(probes.tcp, "10.0.0.1", 80, 1.0)


class Place:
    """As much of a NamespaceNode as a UmlNode looks at before it boots."""

    name = "pc"


class Hostile(UmlNode):
    """A node whose agent answers every request with these bytes."""

    def __init__(self, logs: Path, *frames: bytes) -> None:
        place: Any = Place()
        super().__init__(place, PLAN, logs)
        self._said = b"".join(frames)

    async def ask(self, request: Mapping[str, object], *bodies: bytes) -> Line:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.setblocking(False)
        self._speaking = asyncio.ensure_future(self._speak(theirs))
        return Line(self._answers, reader, writer)

    async def _speak(self, line: socket.socket) -> None:
        with line:
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_sendall(line, self._said)
                line.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(line, 4096):
                    pass
            except OSError:
                pass


def frame(kind: bytes, value: Any) -> bytes:
    return wire.pack_json(kind, value)


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (Path("/tmp/unpickled-by-a-test-of-p2slab"),)


def was_unpickled() -> bool:
    return Path("/tmp/unpickled-by-a-test-of-p2slab").exists()


DEEP = b"[" * 30000 + b"]" * 30000
HUGE = wire.HEAD.pack(BODY, 0xFFFFFFFF)
NO_NUMBERS = (b"", b"x", b"null", b"true", b"1.5", b'"1"', b"[1]", b"{}", b"1" * 6000, DEEP,
              b"NaN", b"99999999999999")  # fmt: skip


@pytest.mark.parametrize(
    "said",
    [
        wire.pack(BODY, pickle.dumps(Bomb())) + wire.pack(DONE),
        wire.pack(RAISED, pickle.dumps(Bomb())),
        frame(BODY, {"userspace": True}) + wire.pack(DONE),
        frame(BODY, {"userspace": 1, "why": ""}) + wire.pack(DONE),
        frame(BODY, {"userspace": True, "why": "", "x": 1}) + wire.pack(DONE),
        frame(BODY, {"userspace": True, "why": ["deep"]}) + wire.pack(DONE),
        frame(BODY, "text") + wire.pack(DONE),
        wire.pack(BODY, DEEP) + wire.pack(DONE),
        wire.pack(BODY, b" " * 100_000) + wire.pack(DONE),
        wire.pack(DONE),
        HUGE,
        frame(STARTED, 7),
        frame(FAILED, "text"),
        frame(FAILED, [1]),
        frame(FAILED, [1, "x" * 5000, None]),
        frame(FAILED, [10**9, "x", None]),
        frame(FAILED, ["1", "x", None]),
        frame(FAILED, [1, "x", ["path"]]),
        wire.pack(FAILED, DEEP),
        frame(RAISED, ["OSError"]),
        frame(RAISED, ["x" * 5000, None, ""]),
        frame(RAISED, [["OSError"], None, ""]),
    ],
)
async def test_what_is_no_answer_to_a_call_is_an_error_of_that_node(
    tmp_path: Path, said: bytes
) -> None:
    with pytest.raises(AgentError, match=r"^pc: invalid answer of its agent"):
        await Hostile(tmp_path, said).call(FIND)
    assert not was_unpickled()


async def test_an_answer_without_end_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uml_answers, "MOST_ANSWER", 100_000)
    much = wire.pack(BODY, bytes(60_000))
    with pytest.raises(AgentError, match="more than 100000 bytes"):
        await Hostile(tmp_path, much, much).read("/etc/hosts")
    output = wire.pack(OUTPUT, bytes(60_000))
    with pytest.raises(AgentError, match="more than 100000 bytes"):
        await Hostile(tmp_path, frame(STARTED, 7), output, output).run(["cat"])


@pytest.mark.parametrize("number", NO_NUMBERS)
async def test_what_is_no_process_or_exit_code_is_an_error_of_that_node(
    tmp_path: Path, number: bytes
) -> None:
    with pytest.raises(AgentError):
        await Hostile(tmp_path, wire.pack(STARTED, number)).run(["true"])
    with pytest.raises(AgentError):
        await Hostile(tmp_path, frame(STARTED, 7), wire.pack(ENDED, number)).run(["true"])


@pytest.mark.parametrize("kind", [BODY, DONE, RAISED, STARTED, b"\xff"])
async def test_a_frame_out_of_place_ends_the_program_with_an_error(
    tmp_path: Path, kind: bytes
) -> None:
    node = Hostile(tmp_path, frame(STARTED, 7), wire.pack(kind, b"1"))
    program = await node.spawn(["true"], log="x")
    with pytest.raises(AgentError):
        await program.wait()
    with pytest.raises(AgentError):
        assert program.code


async def test_a_program_that_is_not_awaited_ends_quietly(tmp_path: Path) -> None:
    node = Hostile(tmp_path, frame(STARTED, 7), frame(ENDED, 0), frame(ENDED, 1))
    assert await (await node.spawn(["true"], log="x")).wait() == 0


@pytest.mark.parametrize("said", [b"", b"x", b"6.1\n; rm -rf", b"\xff\n", b"6" * 70 + b"\n"])
def test_a_first_message_that_is_not_a_release_is_refused(said: bytes) -> None:
    with pytest.raises(AgentError):
        Answers("pc").release(said)
    assert Answers("pc").release(b"6.1.176\n") == "6.1.176"


async def test_honest_answers_come_through(tmp_path: Path) -> None:
    ours = {"userspace": True, "why": "no ESP"}
    found = await Hostile(tmp_path, frame(BODY, ours), wire.pack(DONE)).call(FIND)
    assert found == datapath.Datapath(userspace=True, why="no ESP")
    said = await Hostile(tmp_path, frame(BODY, "7 accepts"), wire.pack(DONE)).call(REACH)
    assert said == "7 accepts"
    for number, kind in ((errno.ECONNREFUSED, ConnectionRefusedError), (None, TimeoutError)):
        with pytest.raises(kind):
            await Hostile(tmp_path, frame(RAISED, ["TimeoutError", number, "x"])).call(REACH)
    with pytest.raises(LabError, match=r"pc: lab\.nodes\.probes:tcp: ValueError: no port"):
        await Hostile(tmp_path, frame(RAISED, ["ValueError", None, "no port"])).call(REACH)


def test_a_function_is_named_and_one_without_a_name_refused() -> None:
    assert name_of(REACH) == ("lab.nodes.probes:tcp", ("10.0.0.1", 80, 1.0), {})
    assert json.dumps(name_of(REACH))
    for function in (lambda: 1, Path("/").exists, NamespaceNode.reboot):
        with pytest.raises(TypeError, match="not a function of a module"):
            name_of(function)  # type: ignore[arg-type]
