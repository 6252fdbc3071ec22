"""The image in a container: podman reads it, and quickstart holds in it.

podman is the machine's, outside the private root; its storage is the test's own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import as_user

CHECKOUT = Path(__file__).parents[2]
LIMIT = 600
PROGRAMS = ("podman", "runc")


def on_the_machine() -> tuple[str, ...]:
    """A command that runs a program in the mounts of the tests' caller, outside the root."""
    pid, ours = os.getpid(), Path("/proc/self/ns/mnt").readlink()
    while pid > 1 and Path(f"/proc/{pid}/ns/mnt").readlink() == ours:
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
    return ("/usr/bin/nsenter", "--target", str(pid), "--mount", "--wd=/", "--")


def missing() -> str:
    """Why there can be no container here."""
    if not as_user.possible():
        return "only root can start a privileged container; run it with sudo"
    look = "; ".join(f"command -v {program} || echo no {program}" for program in PROGRAMS)
    told = subprocess.run([*MACHINE, "sh", "-c", look], capture_output=True, text=True, check=False)
    lacking = [line[3:] for line in told.stdout.splitlines() if line.startswith("no ")]
    if told.returncode or lacking:
        said = " and ".join(lacking) or f"an answer: {told.stderr.strip()}"
        return f"the machine lacks {said}: apt-get install {' '.join(PROGRAMS)}"
    return ""


MACHINE = on_the_machine() if as_user.possible() else ()
WHY_NOT = missing()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a name that is short enough for podman."""
    with tempfile.TemporaryDirectory(prefix="p2slab-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def podman(place: Path) -> Iterator[tuple[str, ...]]:
    """The command, with a storage of the test's own."""
    storage = [f"--root={place}/storage", f"--runroot={place}/run", f"--tmpdir={place}/tmp"]
    command = (*MACHINE, "podman", *storage, "--runtime", "runc", "--cgroup-manager=cgroupfs")
    yield command
    # Not `system reset`, which is about all of the machine's containers.
    for end in (
        (*command, "image", "rm", "--all", "--force"),
        (*MACHINE, "umount", f"{place}/storage/overlay"),
    ):
        subprocess.run(end, check=False, capture_output=True)


def said(*command: str) -> str:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_quickstart_holds_in_a_container_of_the_image(podman: tuple[str, ...], place: Path) -> None:
    said("./p2slab", "image", f"{place}/p2slab.tar", "--tag", "p2slab:test")
    assert "p2slab:test" in said(*podman, "load", "--input", f"{place}/p2slab.tar")
    files = min(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    limits = (f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=16384:16384")
    run = (*podman, "run", "--rm", "--privileged", "--network=none", *limits, "p2slab:test")
    assert "HELD: 21 of 21" in said(*run, "verify", "topologies/quickstart.yaml")
