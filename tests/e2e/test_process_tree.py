"""Whatever ends a part of a lab, by whatever means: the rest ends, and nothing is left.

Small labs with daemons (tests/rigs/small_lab.py), started as programs of their own; every test
ends with a look at the machine's fingerprint.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.kernel.processes import chosen
from lab.observe.fingerprint import differences, fingerprint
from lab.runtime.directory import RunDirectory
from lab.runtime.handle import Handle
from lab.waiting import wait_until
from tests.rigs.patience import PATIENCE
from tests.rigs.terminal import Terminal
from tests.rigs.traces import MARK, NamespaceWatch, marked, number_inside

SOURCE = Path(__file__).parents[2]
SEED = int(os.environ.get("P2SLAB_SEED", random.SystemRandom().randrange(10**6)))
"""Each run draws other moments."""
ROUNDS = int(os.environ.get("P2SLAB_ROUNDS", "1"))


@pytest.fixture(autouse=True)
def _unchanged_machine() -> Iterator[None]:
    before = fingerprint()
    yield
    assert differences(before, fingerprint()) == []


@pytest.fixture
def watch() -> Iterator[NamespaceWatch]:
    watch = NamespaceWatch()
    yield watch
    watch.close()


class Front:
    """A lab's front process, started as a person would start it."""

    module = "tests.rigs.small_lab"

    def __init__(self, name: str, mode: str = "verify", *before: str) -> None:
        self.directory = RunDirectory(name)
        self.mark = uuid.uuid4().hex
        # sudo keeps no PYTHONPATH.
        path = ["env", f"PYTHONPATH={SOURCE}"] if before else []
        self.argv = [*before, *path, sys.executable, "-m", self.module, name, mode]
        self.env = {**os.environ, MARK: self.mark, "PYTHONPATH": str(SOURCE)}

    def start(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            self.argv,
            env=self.env,
            cwd=SOURCE,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return self.process

    def until_ready(self) -> None:
        assert self.start().stdout
        assert self.process.stdout.readline() == "ready\n"  # type: ignore[union-attr]

    def inside(self, number: int) -> int | None:
        """The process with this number in the lab's PID namespace, by our own numbers."""
        for pid in marked(self.mark):
            try:
                if pid != self.process.pid and number_inside(pid) == number:
                    return pid
            except (OSError, LookupError):
                continue
        return None

    async def itself(self) -> int:
        """The front process."""
        return self.process.pid

    def outside(self) -> int:
        """The front process itself, of which sudo may be the parent."""
        namespace = Path("/proc/self/ns/pid").readlink()
        pythons = chosen(
            lambda pid: (
                Path(f"/proc/{pid}/ns/pid").readlink() == namespace
                and Path(f"/proc/{pid}/exe").readlink().name.startswith("python")
            )
        )
        return next(pid for pid in marked(self.mark) if pid in pythons)

    async def is_gone(self, watch: NamespaceWatch) -> None:
        """Nothing of it is left: processes, namespaces, lock."""

        def left() -> bool:
            if pids := marked(self.mark):
                raise LookupError(f"{self.argv[-2]}: processes {pids} live")
            if watch.alive:
                raise LookupError(f"{watch.alive} of {watch.seen} network namespaces live")
            return not self.directory.is_alive()

        await wait_until(f"{self.directory.name} is gone", PATIENCE, left)
        if hasattr(self, "process"):
            self.process.wait(PATIENCE)
            self.process.stdout.close()  # type: ignore[union-attr]


PARTS: dict[str, Callable[[Front], int | None]] = {
    "front": lambda front: front.process.pid,
    "first": lambda front: front.inside(1),
    "supervisor": lambda front: front.inside(2),
}


@pytest.mark.parametrize("part", PARTS)
async def test_killing_a_part_of_a_ready_lab_ends_it_all(part: str, watch: NamespaceWatch) -> None:
    front = Front(f"kill-{part}")
    front.until_ready()
    watch.add(marked(front.mark))
    assert watch.alive == watch.seen >= 5  # the lab's own and four nodes'
    victim = PARTS[part](front)
    assert victim
    os.kill(victim, signal.SIGKILL)
    await front.is_gone(watch)


class UnderSudo(Front):
    """Started with sudo, which is then the front process's parent."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "verify", "sudo", "--preserve-env")

    async def itself(self) -> int:
        def outside() -> int:
            try:
                return self.outside()
            except StopIteration:
                code = self.process.poll()
                said = self.process.stdout.read() if code is not None else ""  # type: ignore[union-attr]
                assert code is None, f"sudo ended with {code} and has not started it: {said}"
                raise LookupError("sudo has not started it") from None

        return await wait_until("the front process under sudo", PATIENCE, outside)


class Verify(Front):
    """The verb itself, on a real topology: gateway, its daemons, clients."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        file = "topologies/quickstart.yaml"
        verify = ["-m", "lab.cli.main", "verify", "--name", name]
        # Without --keep: a lab that is kept outlives the verb, whose end may come before its kill.
        self.argv = [sys.executable, *verify, file]


class WithOwnKernel(Front):
    """A lab with a user-mode Linux node."""

    module = "tests.rigs.uml_lab"

    def below(self) -> set[tuple[int, bytes]]:
        """Every process below the lab's first: number, and start time, which tells it from a
        later one of that number. The kernel's own do not show what environment they have."""
        found: set[int] = {self.inside(1) or 0}

        def is_child(pid: int) -> bool:
            return pid not in found and _stat(pid)[1] in found

        while more := chosen(is_child):
            found.update(more)
        return {(pid, _began(pid)) for pid in found}


def _stat(pid: int) -> list[Any]:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return [fields[0], int(fields[1]), fields[19]]  # state, parent, start time (proc(5))


def _began(pid: int) -> bytes:
    """When it did; nothing for one that is dead, collected or not."""
    try:
        state, _, began = _stat(pid)
    except OSError:
        return b""
    return b"" if state in (b"Z", b"X") else bytes(began)


@pytest.mark.parametrize(
    ("kind", "batches", "at_once", "longest"),
    # Seconds: a small lab is ready after some 0.4, one with a kernel of its own after one, a
    # quickstart over after some four.
    [
        (Front, 10, 4, 0.8),
        (UnderSudo, 10, 4, 0.8),
        (WithOwnKernel, 5, 2, 1.5),
        (Verify, 4, 3, 5.0),
    ],
    ids=["small-lab", "small-lab-under-sudo", "own-kernel", "verify"],
)
async def test_killing_any_part_at_any_moment_leaves_nothing(
    kind: type[Front], batches: int, at_once: int, longest: float
) -> None:
    """The kill comes before, while or after it is built. With P2SLAB_SEED the same again, with
    P2SLAB_ROUNDS=10 ten times as many."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for batch in range(ROUNDS * batches):
        watch = NamespaceWatch()
        fronts = [kind(f"random-{number}") for number in range(at_once)]
        moments = sorted(
            (chance.uniform(0, longest), chance.choice(list(PARTS)), number)
            for number in range(at_once)
        )
        for front in fronts:
            front.start()
        began = time.monotonic()
        for moment, part, number in moments:
            await asyncio.sleep(moment - (time.monotonic() - began))  # the moment, not a wait
            front = fronts[number]
            watch.add(marked(front.mark))
            victim = None if part == "front" else PARTS[part](front)
            os.kill(victim or await front.itself(), signal.SIGKILL)
        try:
            for front in fronts:
                await front.is_gone(watch)
        except TimeoutError as error:
            error.add_note(f"seed {SEED}, batch {batch}: {moments}")
            raise
        watch.close()


async def test_an_exception_in_the_middle_of_the_building_leaves_nothing(
    watch: NamespaceWatch,
) -> None:
    front = Front("fails", "fail")
    output, _ = front.start().communicate(timeout=PATIENCE)
    assert output == "the middle of the building\n"
    assert front.process.returncode == 4
    await front.is_gone(watch)


@pytest.mark.parametrize("before", [(), ("sudo", "--preserve-env")], ids=["plain", "sudo"])
@pytest.mark.parametrize("end", ["Ctrl-C", "closed terminal", "kill -9"])
async def test_the_end_of_its_terminal_ends_the_lab(
    end: str, before: tuple[str, ...], watch: NamespaceWatch
) -> None:
    front = Front("terminal", "verify", *before)
    with Terminal(front.argv, front.env) as terminal:
        terminal.expect("ready")
        watch.add(marked(front.mark))
        if end == "Ctrl-C":
            terminal.type("\x03")
        elif end == "closed terminal":
            terminal.close()
        else:
            os.kill(front.outside(), signal.SIGKILL)
        terminal.wait()
        await front.is_gone(watch)


async def test_a_released_lab_outlives_its_front_and_ends_with_down(watch: NamespaceWatch) -> None:
    front = Front("released", "up")
    output, _ = front.start().communicate(timeout=PATIENCE)
    assert (output, front.process.returncode) == ("ready\n", 0)
    watch.add(marked(front.mark))
    lab = Handle.open("released")
    assert lab.exec("pc1", ["ping", "-c1", "-W", str(PATIENCE), "10.0.0.4"]).code == 0
    lab.down()
    assert marked(front.mark) == []  # `down` returns when all of its processes are gone
    assert not front.directory.path.exists()
    await front.is_gone(watch)


async def test_labs_run_concurrently_with_the_same_nodes_and_addresses(
    watch: NamespaceWatch,
) -> None:
    fronts = [Front(f"side-{number}", "up") for number in range(3)]
    for front in fronts:
        front.start()
    for front in fronts:
        assert front.process.communicate(timeout=PATIENCE)[0] == "ready\n"
        watch.add(marked(front.mark))
    labs = [Handle.open(front.directory.name) for front in fronts]
    for number, lab in enumerate(labs):
        lab.exec("pc1", ["sh", "-c", f"echo {number} > /tmp/who"])
    for number, lab in enumerate(labs):
        assert lab.exec("pc1", ["cat", "/tmp/who"]).stdout == f"{number}\n"
        assert lab.exec("pc2", ["ping", "-c1", "-W", str(PATIENCE), "10.0.0.1"]).code == 0
    labs[1].down()
    assert labs[0].exec("pc2", ["ping", "-c1", "-W", str(PATIENCE), "10.0.0.1"]).code == 0
    for lab in (labs[0], labs[2]):
        lab.down()
    for front in fronts:
        await front.is_gone(watch)


async def test_a_name_that_is_up_cannot_be_started_again_until_it_has_ended(
    watch: NamespaceWatch,
) -> None:
    first, second = Front("twice"), Front("twice")
    first.until_ready()
    output, _ = second.start().communicate(timeout=PATIENCE)
    assert second.process.returncode == 2
    assert "lab twice is already up" in output
    assert "--name" in output
    first.process.kill()
    await first.is_gone(watch)
    second.until_ready()
    second.process.kill()
    await second.is_gone(watch)


async def test_logs_outlive_a_killed_lab(watch: NamespaceWatch) -> None:
    front = Front("logs")
    front.until_ready()
    front.process.kill()
    await front.is_gone(watch)
    assert "listening" in (front.directory.logs / "router" / "iperf3.log").read_text()


@pytest.mark.parametrize("part", PARTS)
async def test_a_kernel_of_a_node_ends_with_its_lab(part: str, watch: NamespaceWatch) -> None:
    front = WithOwnKernel(f"kill-kernel-{part}")
    front.until_ready()
    watch.add(marked(front.mark))
    below = front.below()
    assert len(below) >= 6  # first, supervisor, unshare, sh, the kernel and its stubs
    victim = PARTS[part](front)
    assert victim
    os.kill(victim, signal.SIGKILL)
    await front.is_gone(watch)

    def dead() -> bool:
        return not any(began and _began(pid) == began for pid, began in below)

    await wait_until("every process of it is dead", PATIENCE, dead)
