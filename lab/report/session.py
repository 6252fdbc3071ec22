"""Start a lab from a topology file, and gather its verdict: what `verify` and `up` share."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.boot.preflight import require_capabilities, require_tun
from lab.boot.users import require_ids
from lab.errors import LabError
from lab.report.verdict import Verdict
from lab.runtime.directory import RunDirectory
from lab.runtime.handle import Handle
from lab.runtime.protocol import Body, Event, Failed, Ready
from lab.runtime.start import start
from lab.topology.load import TopologyFile

Tell = Callable[[Event], None]


def start_lab(topology: TopologyFile, name: str | None) -> Handle:
    """The lab's process tree; it dies with this process until released. MachineError without TUN
    or capabilities: better said here than by every daemon."""
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
    """Build, carry out every step, take it down. With `keep` a lab that failed stays up."""
    began = time.monotonic()
    verdict = Verdict(name or topology.topology.name, str(topology.path))
    try:
        handle = start_lab(topology, name)
        try:
            if build(handle, verdict, tell):
                verdict.lab = handle.status()
                handle.run(topology.topology.expect, lambda event: _both(event, verdict, tell))
        finally:
            verdict.seconds = time.monotonic() - began
            _end(handle, verdict, keep=keep)
    except LabError as error:
        verdict.add(Failed(message=error.message, remedy=error.remedy, code=error.code))
    return verdict


def _both(event: Event, verdict: Verdict, tell: Tell) -> None:
    verdict.add(event)
    tell(event)


def _end(handle: Handle, verdict: Verdict, *, keep: bool) -> None:
    """Nothing stays of a lab whose expectations held; the logs of one that failed do."""
    if verdict.code:
        _save_daemon_logs(handle, verdict)
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
