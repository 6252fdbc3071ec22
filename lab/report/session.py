"""Start a lab from a topology file and collect its verdict, for `verify` and `up`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError
from lab.report.machine import remarks
from lab.report.screen import Screen
from lab.report.verdict import Verdict
from lab.runtime.directory import AlreadyUpError
from lab.runtime.handle import Handle
from lab.runtime.protocol import Body, Event, Failed, Ready
from lab.runtime.start import start
from lab.topology.load import TopologyFile

OnEvent = Callable[[Event], None]
STATUS_LIMIT = 10.0
"""Seconds for a lab to answer `status`."""


def start_lab(topology: TopologyFile, name: str | None) -> Handle:
    """Start the lab's process tree, which dies with this process until released.

    MachineError without TUN or capabilities, before daemons fail for lack of them.
    """
    from lab.boot.preflight import require_lab  # noqa: PLC0415 (8 ms)

    plan = topology.plan()
    require_lab(tun=bool(plan.gateways))

    def body(logs: Path) -> Body:
        from lab.runtime.lab import Lab  # noqa: PLC0415 (in the supervisor, not in the starter)

        return Lab(plan, logs, topology.whole or topology)

    return start(name or plan.name, body)


def build(handle: Handle, verdict: Verdict, on_event: OnEvent) -> bool:
    """Watch the lab until it is built or has failed; whether it was built."""
    for event in handle.watch():
        verdict.add(event)
        on_event(event)
        if isinstance(event, Ready | Failed):
            return isinstance(event, Ready)
    raise AssertionError("watching ends with an exception or not at all")


def verify(topology: TopologyFile, *, name: str | None, keep: bool, on_event: OnEvent) -> Verdict:
    """Build a lab, execute every step, take it down. With `keep`, it stays up.

    The default `name` is the topology's, with a number if a lab of that name is running.
    A KeyboardInterrupt takes the lab down too; its note has the results so far.
    """
    began = time.monotonic()
    verdict = Verdict.of(topology, name or topology.topology.name)
    handle = None
    try:
        handle = start_lab(topology, name) if name else _start_named(topology)
        verdict.name = handle.name
        try:
            if build(handle, verdict, on_event):
                verdict.lab = handle.status()
                handle.run(topology.topology.expect, lambda event: _both(event, verdict, on_event))
        except KeyboardInterrupt:
            keep = False
            raise
        finally:
            verdict.seconds = time.monotonic() - began
            _end(handle, verdict, keep=keep)
    except LabError as error:
        verdict.add(Failed(message=error.message, remedy=error.remedy, code=error.code))
    except KeyboardInterrupt as end:
        if handle is not None:
            handle.down(keep_logs=bool(verdict.code))  # _end may have been interrupted
        seen = f"{len(verdict.results)} of {verdict.expected} seen, {verdict.held} held"
        end.add_note(f"{verdict.name}: {seen}; its lab was taken down")
        raise
    return verdict


def _start_named(topology: TopologyFile) -> Handle:
    """Start a lab with the topology's name, or the first free numbered one."""
    name = topology.topology.name
    for other in (f"{name}-{number}" for number in itertools.count(2)):
        try:
            return start_lab(topology, name)
        except AlreadyUpError:
            Screen.err().row(f"lab {name} is up already: trying the name {other}")
            name = other
    raise AssertionError("numbers do not end")


def _both(event: Event, verdict: Verdict, on_event: OnEvent) -> None:
    verdict.add(event)
    on_event(event)


def _end(handle: Handle, verdict: Verdict, *, keep: bool) -> None:
    """Take the lab down, or release it with `keep`; its logs are kept for a while."""
    if verdict.code:
        with suppress(LabError, TimeoutError):  # the lab may have ended
            verdict.machine = list(remarks(handle.status(STATUS_LIMIT)))
    if keep:
        verdict.kept = True
        handle.release()
    else:
        handle.down(keep_logs=True)
    verdict.logs = str(handle.logs)
