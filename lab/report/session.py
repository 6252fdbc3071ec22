"""Start a lab from a topology file, and gather its verdict: what `verify` and `up` share."""

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
from lab.runtime.directory import AlreadyUpError, RunDirectory
from lab.runtime.handle import Handle
from lab.runtime.protocol import Body, Event, Failed, Ready
from lab.runtime.start import start
from lab.topology.load import TopologyFile

Tell = Callable[[Event], None]
ANSWER = 10.0
"""Seconds for a lab to say how it was."""


def start_lab(topology: TopologyFile, name: str | None) -> Handle:
    """The lab's process tree; it dies with this process until released. MachineError without TUN
    or capabilities: better said here than by every daemon."""
    from lab.boot.preflight import require_capabilities, require_tun  # noqa: PLC0415 (8 ms)
    from lab.boot.users import require_ids  # noqa: PLC0415 (as above)

    plan = topology.plan()
    require_capabilities()
    require_ids()
    if plan.gateways:
        require_tun()

    def body(logs: Path) -> Body:
        from lab.runtime.lab import Lab  # noqa: PLC0415 (in the supervisor, not in the starter)

        return Lab(plan, logs)

    return start(name or plan.name, body)


def build(handle: Handle, verdict: Verdict, tell: Tell) -> bool:
    """Watch it being built; whether it was."""
    for event in handle.watch():
        verdict.add(event)
        tell(event)
        if isinstance(event, Ready | Failed):
            return isinstance(event, Ready)
    raise AssertionError("watching ends with an exception or not at all")


def verify(topology: TopologyFile, *, name: str | None, keep: bool, tell: Tell) -> Verdict:
    """Build, carry out every step, take it down. With `keep` a lab that failed stays up.

    Without a `name` it is the topology's, with a number behind it while another lab has that.
    A KeyboardInterrupt takes the lab down too, and its note says what had been seen.
    """
    began = time.monotonic()
    verdict = Verdict.of(topology, name or topology.topology.name)
    handle = None
    try:
        handle = start_lab(topology, name) if name else _start_named(topology)
        verdict.name = handle.name
        try:
            if build(handle, verdict, tell):
                verdict.lab = handle.status()
                handle.run(topology.topology.expect, lambda event: _both(event, verdict, tell))
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
            handle.down(keep_logs=bool(verdict.code))  # it may have been on its way
        seen = f"{len(verdict.results)} of {verdict.expected} seen, {verdict.held} held"
        end.add_note(f"{verdict.name}: {seen}; its lab was taken down")
        raise
    return verdict


def _start_named(topology: TopologyFile) -> Handle:
    """Under the topology's name, or the first with a number that is free."""
    name = topology.topology.name
    for other in (f"{name}-{number}" for number in itertools.count(2)):
        try:
            return start_lab(topology, name)
        except AlreadyUpError:
            Screen.err().row(f"lab {name} is up already: this one will be {other}, if it is free")
            name = other
    raise AssertionError("numbers do not end")


def _both(event: Event, verdict: Verdict, tell: Tell) -> None:
    verdict.add(event)
    tell(event)


def _end(handle: Handle, verdict: Verdict, *, keep: bool) -> None:
    """Nothing stays of a lab whose expectations held; the logs of one that failed do."""
    if verdict.code:
        _save_daemon_logs(handle, verdict)
        with suppress(LabError, TimeoutError):  # as below
            verdict.machine = list(remarks(handle.status(ANSWER)))
    if verdict.code and keep:
        verdict.kept = True
        handle.release()
    else:
        handle.down(keep_logs=bool(verdict.code))
    verdict.logs = str(handle.logs) if verdict.code else None


def _save_daemon_logs(handle: Handle, verdict: Verdict) -> None:
    """What the gateways' daemons wrote in their nodes, which end with the lab, as evidence."""
    for gateway in {engine["gateway"] for engine in verdict.lab.get("engines", [])}:
        with suppress(LabError):  # it may be the lab's end that is looked into
            told = handle.exec(gateway, ["sh", "-c", "tail -n +1 /run/gateway/*/*.log*"])
            kept = RunDirectory(handle.name).logs / gateway / "daemons.log"
            kept.write_text(told.stdout)
            kept.chmod(0o600)
