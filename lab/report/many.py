"""Several topologies: a process for each lab, as many at once as the machine carries.

The processes are forked from one without threads. A lab dies with its process, and that with
this one; a failure of one is its own verdict, and the others go on.
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
from lab.errors import OURS
from lab.failure import told, written_down
from lab.report.screen import Screen
from lab.report.session import verify
from lab.report.verdict import Verdict
from lab.runtime.protocol import Event, Failed, StepResult
from lab.topology.load import TopologyFile

A_LAB = 1_000_000_000
"""Bytes of memory that a lab may take: quickstart 130 MB before anybody dials, active-directory,
with user-mode Linux for three clients, 820 MB."""
STOP = signal.SIGUSR1
"""From the parent alone: take the lab down, and say what had been seen."""
_FORK = multiprocessing.get_context("fork")


def usual_jobs() -> int:
    """How many labs this machine carries side by side: by its cores and free memory."""
    return max(1, min(len(os.sched_getaffinity(0)), _available() // A_LAB))


def lab_names(topologies: Sequence[TopologyFile], name: str | None) -> list[str | None]:
    """A name for each lab of one run, None for the topology's own: a number behind it where
    another file's lab has the same."""
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
    """The verdicts in the order of the topologies, each as soon as it and all before it are there.

    A KeyboardInterrupt takes all labs down, and its notes say what had been seen.
    """
    crew = _Crew(topologies, lab_names(topologies, name), keep=keep)
    try:
        for place in range(len(topologies)):
            while place not in crew.verdicts:
                crew.fill(jobs)
                crew.listen()
            crew.show("")
            yield crew.verdicts[place]
    except KeyboardInterrupt as end:
        for note in crew.stop():
            end.add_note(note)
        raise
    finally:
        crew.show("")
        crew.stop()


@dataclass
class _Worker:
    """The process of one lab."""

    place: int
    process: BaseProcess
    line: Connection
    seen: int = 0
    failed: int = 0


class _Crew:
    """Who works on what."""

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
        """Begin so many that `jobs` are at work."""
        while self._next < len(self._topologies) and len(self._workers) < jobs:
            place, self._next = self._next, self._next + 1
            ours, theirs = _FORK.Pipe(duplex=False)
            work = (self._topologies[place], self._names[place], self._keep, theirs, os.getpid())
            process = _FORK.Process(target=_work, args=work)
            signals.hold()  # until the new process takes them as its own
            process.start()
            self._workers.append(_Worker(place, process, ours))
            signals.let_go()
            theirs.close()

    def listen(self) -> list[str]:
        """Wait for news, and take them; what interrupted ones say they had seen."""
        by_line: dict[Any, _Worker] = {worker.line: worker for worker in self._workers}
        notes: list[str] = []
        ready = wait(list(by_line))
        signals.hold()  # a message is read whole
        try:
            for line in ready:
                notes += self._take(by_line[line])
        finally:
            signals.let_go()
        self.show(", ".join(self._doing(worker) for worker in self._workers))
        return notes

    def _take(self, worker: _Worker) -> list[str]:
        try:
            news = worker.line.recv()
        except EOFError:
            self._end(worker)
            return []
        if isinstance(news, Verdict):
            self.verdicts[worker.place] = news
        elif isinstance(news, StepResult):
            worker.seen += 1
            worker.failed += not news.held
        return [news] if isinstance(news, str) else []

    def stop(self) -> list[str]:
        """End those at work and wait for them; what they and those before them had seen."""
        held = sum(verdict.code == 0 for verdict in self.verdicts.values())
        notes = [f"{len(self.verdicts)} of {len(self._topologies)} files done, {held} held"]
        for worker in self._workers:
            # One that has ended may have been collected by the start of another, and its number be
            # somebody else's.
            if worker.process.pid is not None and worker.process.exitcode is None:
                os.kill(worker.process.pid, STOP)
        while self._workers:
            notes += self.listen()
        return notes

    def show(self, text: str) -> None:
        """What is going on, on a terminal."""
        done = f"{len(self.verdicts)} of {len(self._topologies)} files done; "
        self._screen.move(done + text if text else "")

    def _end(self, worker: _Worker) -> None:
        worker.process.join()
        worker.line.close()
        self._workers.remove(worker)
        if worker.place not in self.verdicts:
            topology = self._topologies[worker.place]
            verdict = Verdict.of(topology, self._names[worker.place] or topology.topology.name)
            message = "the process that watched the lab was killed, and the lab with it"
            verdict.add(Failed(message=message, remedy="is there enough memory?", code=OURS))
            self.verdicts[worker.place] = verdict

    def _doing(self, worker: _Worker) -> str:
        topology = self._topologies[worker.place].topology
        failed = f" {worker.failed} FAILED" if worker.failed else ""
        return f"{topology.name} {worker.seen}/{len(topology.expect)}{failed}"


def _work(
    topology: TopologyFile, name: str | None, keep: bool, line: Connection, parent: int
) -> None:
    """The life of a worker. Only its parent interrupts it: of Ctrl-C it would hear twice."""
    signal.signal(STOP, signal.default_int_handler)
    for number in signals.HELD:
        signal.signal(number, signal.SIG_IGN)
    calls.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def tell(event: Event) -> None:
        if isinstance(event, StepResult):
            line.send(event)

    try:
        signals.let_go()
        line.send(verify(topology, name=name, keep=keep, tell=tell))
    except KeyboardInterrupt as end:
        line.send("; ".join(getattr(end, "__notes__", [])))
    except Exception as error:  # noqa: BLE001 (the verdict tells of it)
        verdict = Verdict.of(topology, name or topology.topology.name)
        failure = told(error) | {"remedy": f"please report it, with {written_down(error)}"}
        verdict.add(Failed(**failure))
        line.send(verdict)


def _available() -> int:
    """Bytes of memory that nobody needs now (proc(5), meminfo)."""
    for row in Path("/proc/meminfo").read_text().splitlines():
        if row.startswith("MemAvailable:"):
            return int(row.split()[1]) * 1024
    return A_LAB
