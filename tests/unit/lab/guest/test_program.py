"""A program run by the agent, outside user-mode Linux."""

from __future__ import annotations

import json
import os
import select
import socket
from typing import Any

from lab.guest import wire
from lab.guest.agent import Job
from lab.guest.program import Run


def test_room_for_input_that_was_filled_meanwhile_is_no_reason_to_die() -> None:
    """One poll returned both the line and the program's input: the line, served first, filled it.

    The agent's thread died of a KeyError, and the connection with it.
    """
    ours, theirs = socket.socketpair()
    request: dict[str, Any] = {"do": "run", "argv": ["cat"], "env": dict(os.environ)}
    request |= {"input": True, "together": False, "terminal": None}
    ours.sendall(wire.pack_json(wire.REQUEST, request))
    run = Run(Job(theirs))
    told = run._input
    run._accept_input(b"all of it")
    run._serve(told, select.POLLOUT)
    ours.sendall(wire.pack(wire.BODY, b""))
    run.work()
    theirs.close()
    frames = wire.Frames().feed(b"".join(iter(lambda: ours.recv(65536), b"")))
    said = [(kind, payload) for kind, payload in frames if kind in (wire.OUTPUT, wire.ENDED)]
    assert said == [(wire.OUTPUT, b"all of it"), (wire.ENDED, json.dumps(0).encode())]
    ours.close()
