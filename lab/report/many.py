"""Verify several topologies: a process for each lab, as many at once as the machine can run.

The processes are forked from one without threads. A lab dies with its process, and that process
with this one. If one fails, its verdict says so, and the others go on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from gateway.common import calls
from lab.boot import signals
from lab.choices import counted
from lab.errors import OURS
from lab.failure import error_report, save_traceback
from lab.report.screen import Screen
from lab.report.session import verify
from lab.report.verdict import Verdict
from lab.runtime.protocol import Event, Failed, StepResult
from lab.topology.load import TopologyFile

A_LAB = 1_000_000_000
"""Bytes of memory that a lab may need: quickstart needs 130 MB before clients dial;
active-directory, with user-mode Linux for three clients, 820 MB."""
STOP = signal.SIGUSR1
"""Sent only by the parent: take the lab down, and report the steps done so far."""
_FORK = multiprocessing.get_context("fork")


def usual_jobs() -> int:
    """How many labs this machine can run concurrently, by its cores and free memory."""
    return max(1, min(len(os.sched_getaffinity(0)), _available() // A_LAB))


def lab_names(topologies: Sequence[TopologyFile], name: str | None) -> list[str | None]:
    """A name for each lab of one run, None for the topology's own name; later labs of the same
    name get a number."""
    numbers: dict[str, int] = {}
    names: list[str | None] = []
    for topology in topologies:
        base = name or topology.topology.name
        number = numbers[base] = numbers.get(base, 0) + 1
        names.append(f"{base}-{number}" if number > 1 else name)
    return names


def verify_all(
    topologies: Sequence[TopologyFile], *, name: str | None, keep: bool, jobs: int
) -> Iterator[Verdict]:
    """The verdicts in the order of the topologies, each as soon as it and all before it are done.

    A KeyboardInterrupt takes all labs down; its notes list the results so far.
    """
    pool = _WorkerPool(topologies, lab_names(topologies, name), keep=keep)
    try:
        for place in range(len(topologies)):
            while place not in pool.verdicts:
                pool.fill(jobs)
                pool.receive()
            pool.show("")
            yield pool.verdicts[place]
    except KeyboardInterrupt as end:
        for note in pool.stop():
            end.add_note(note)
        raise
    finally:
        pool.show("")
        pool.stop()


@dataclass
class _Worker:
    """The process of one lab."""

    place: int
    process: BaseProcess
    line: Connection
    seen: int = 0
    failed: int = 0


class _WorkerPool:
    """The processes that verify topologies, and the verdicts so far."""

    def __init__(
        self, topologies: Sequence[TopologyFile], names: Sequence[str | None], *, keep: bool
    ) -> None:
        self.verdicts: dict[int, Verdict] = {}
        self._topologies = topologies
        self._names = names
        self._keep = keep
        self._next = 0
        self._workers: list[_Worker] = []
        self._screen = Screen.err()

    def fill(self, jobs: int) -> None:
        """Start workers until `jobs` are running."""
        while self._next < len(self._topologies) and len(self._workers) < jobs:
            place, self._next = self._next, self._next + 1
            reading, writing = _FORK.Pipe(duplex=False)
            work = (self._topologies[place], self._names[place], self._keep, writing, os.getpid())
            process = _FORK.Process(target=_work, args=work)
            signals.hold()  # until the new process has set its own handlers
            process.start()
            self._workers.append(_Worker(place, process, reading))
            signals.let_go()
            writing.close()

    def receive(self) -> list[str]:
        """Wait for messages and handle them; the notes of interrupted workers."""
        by_line: dict[Any, _Worker] = {worker.line: worker for worker in self._workers}
        notes: list[str] = []
        ready = wait(list(by_line))
        signals.hold()  # no interruption within a message
        try:
            for line in ready:
                notes += self._handle(by_line[line])
        finally:
            signals.let_go()
        self.show(", ".join(self._progress(worker) for worker in self._workers))
        return notes

    def _handle(self, worker: _Worker) -> list[str]:
        try:
            message = worker.line.recv()
        except EOFError:
            self._end(worker)
            return []
        if isinstance(message, Verdict):
            self.verdicts[worker.place] = message
        elif isinstance(message, StepResult):
            worker.seen += 1
            worker.failed += not message.held
        return [message] if isinstance(message, str) else []

    def stop(self) -> list[str]:
        """Stop all workers and wait for them; notes about the results so far."""
        held = sum(verdict.code == 0 for verdict in self.verdicts.values())
        notes = [
            f"{len(self.verdicts)} of {counted(len(self._topologies), 'file')} done, {held} held"
        ]
        for worker in self._workers:
            # An ended process may have been reaped, and its process ID be in use again.
            if worker.process.pid is not None and worker.process.exitcode is None:
                os.kill(worker.process.pid, STOP)
        while self._workers:
            notes += self.receive()
        return notes

    def show(self, text: str) -> None:
        """Show the progress, on a terminal."""
        done = f"{len(self.verdicts)} of {counted(len(self._topologies), 'file')} done; "
        self._screen.move(done + text if text else "")

    def _end(self, worker: _Worker) -> None:
        worker.process.join()
        worker.line.close()
        self._workers.remove(worker)
        if worker.place not in self.verdicts:
            topology = self._topologies[worker.place]
            verdict = Verdict.of(topology, self._names[worker.place] or topology.topology.name)
            message = "the lab's process was killed, and the lab with it"
            verdict.add(Failed(message=message, remedy="is there enough memory?", code=OURS))
            self.verdicts[worker.place] = verdict

    def _progress(self, worker: _Worker) -> str:
        topology = self._topologies[worker.place].topology
        failed = f" {worker.failed} FAILED" if worker.failed else ""
        return f"{topology.name} {worker.seen}/{len(topology.expect)}{failed}"


def _work(
    topology: TopologyFile, name: str | None, keep: bool, line: Connection, parent: int
) -> None:
    """Run a worker. Only its parent interrupts it: otherwise Ctrl-C would arrive twice."""
    signal.signal(STOP, signal.default_int_handler)
    for number in signals.HELD:
        signal.signal(number, signal.SIG_IGN)
    calls.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def send(event: Event) -> None:
        if isinstance(event, StepResult):
            line.send(event)

    try:
        signals.let_go()
        line.send(verify(topology, name=name, keep=keep, on_event=send))
    except KeyboardInterrupt as end:
        line.send("; ".join(getattr(end, "__notes__", [])))
    except Exception as error:  # noqa: BLE001 (the verdict reports it)
        verdict = Verdict.of(topology, name or topology.topology.name)
        failure = error_report(error) | {
            "remedy": f"please report it, with {save_traceback(error)}"
        }
        verdict.add(Failed(**failure))
        line.send(verdict)


def _available() -> int:
    """Bytes of available memory (proc(5), meminfo)."""
    for row in Path("/proc/meminfo").read_text().splitlines():
        if row.startswith("MemAvailable:"):
            return int(row.split()[1]) * 1024
    return A_LAB
