"""`exec` and `shell` in a user-mode Linux node: streams, terminal, signals, exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from lab.runtime.handle import Handle
from lab.waiting import wait_until
from tests.rigs import node_shells
from tests.rigs.patience import PATIENCE
from tests.rigs.terminal import Terminal

SOURCE = Path(__file__).parents[2]
LAB = "exec-uml-test"
ENV = {**os.environ, "PYTHONPATH": str(SOURCE)}
P2SLAB = [sys.executable, "-m", "lab.cli.main"]
EXEC = [*P2SLAB, "exec", "--name", LAB, "pc"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Handle]:
    up = [sys.executable, "-m", "tests.rigs.uml_lab", LAB, "up"]
    subprocess.run(up, env=ENV, cwd=SOURCE, check=True, capture_output=True, timeout=PATIENCE)
    handle = Handle.open(LAB)
    yield handle
    handle.down()


def run(*argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        argv, check=False, input=stdin, env=ENV, cwd=SOURCE, capture_output=True, timeout=PATIENCE
    )


def begin(*argv: str, stdin: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, env=ENV, cwd=SOURCE, stdin=stdin, stdout=subprocess.PIPE)


def sleepers(lab: Handle, seconds: str) -> int:
    return len(lab.exec("pc", ["pgrep", "-r", "R,S,T", "-fx", f"sleep {seconds}"]).stdout.split())


def test_a_program_runs_in_the_node_with_its_pipes_and_code(lab: Handle) -> None:
    script = "hostname; uname -r; cat; ip -br addr show dev eth0; echo complaint >&2; exit 7"
    done = run(*EXEC, "sh", "-c", script, stdin=b"x" * 3_000_000)
    assert done.returncode == 7
    name, _, rest = done.stdout.split(b"\n", 2)
    assert name == b"pc"
    assert rest.startswith(b"x" * 3_000_000)
    assert b"10.0.0.2/24" in rest
    assert done.stderr == b"complaint\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_program_s_death_by_a_signal_is_the_command_s(lab: Handle, number: int) -> None:
    assert run(*EXEC, "sh", "-c", f"kill -{int(number)} $$").returncode == -number


def test_a_reader_that_goes_ends_the_program_as_in_any_pipe(lab: Handle) -> None:
    with begin(*EXEC, "yes") as command:
        assert command.stdout
        assert command.stdout.readline() == b"y\n"
        command.stdout.close()
        assert command.wait(PATIENCE) == -signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_signal_to_the_command_reaches_the_program(lab: Handle, number: int) -> None:
    with begin(*EXEC, "sleep", "2111") as command:
        await wait_until("the program", PATIENCE, lambda: sleepers(lab, "2111"))
        command.send_signal(number)
        assert command.wait(PATIENCE) == -number
    assert sleepers(lab, "2111") == 0


async def test_a_signal_reaches_a_program_that_takes_no_input(lab: Handle) -> None:
    with begin("yes") as source, begin(*EXEC, "sleep", "2114", stdin=source.stdout) as command:
        assert source.stdout
        source.stdout.close()
        await wait_until("the program", PATIENCE, lambda: sleepers(lab, "2114"))
        command.terminate()
        assert command.wait(PATIENCE) == -signal.SIGTERM
    assert sleepers(lab, "2114") == 0


async def test_a_killed_command_takes_its_program_along(lab: Handle) -> None:
    with begin(*EXEC, "sleep", "2112") as command:
        await wait_until("the program", PATIENCE, lambda: sleepers(lab, "2112"))
        command.kill()
        command.wait(PATIENCE)
    await wait_until("the program is gone", PATIENCE, lambda: not sleepers(lab, "2112"))


def test_a_missing_program_is_reported_as_a_shell_would(lab: Handle) -> None:
    done = run(*EXEC, "nosuchprogram")
    assert done.returncode == 127
    assert done.stderr.split() == b"p2slab: nosuchprogram: not found in the node".split()
    assert run(*EXEC, "/etc/hosts").returncode == 126


def test_the_terminal_is_the_program_s(lab: Handle) -> None:
    script = "test -t 0 && test -t 1 && tty && stty size && cat"
    with Terminal([*EXEC, "sh", "-c", script], {**ENV, "LINES": "33", "COLUMNS": "99"}) as term:
        term.expect(r"/dev/pts/\d+\r\n33 99\r\n")
        term.type("a line\n")
        term.expect("a line\r\na line\r\n")
        term.type("\x04")
        assert term.wait() == 0


def test_interrupt_from_the_keyboard_ends_the_program(lab: Handle) -> None:
    with Terminal([*EXEC, "sh", "-c", "echo go; exec sleep 2113"], ENV) as term:
        term.expect("go")
        term.type("\x03")
        assert term.wait() == -signal.SIGINT


def test_a_command_in_the_background_leaves_the_keyboard_alone(lab: Handle) -> None:
    with Terminal(["bash", "--norc", "-i"], {**ENV, "PS1": "outer> "}) as term:
        term.expect("outer> ")
        term.type(f"{' '.join(EXEC)} cat & wait; echo code $?\n")
        term.expect(r"code 0\r\n")
        term.type("exit\n")
        term.wait()


def test_a_shell_in_the_node_has_job_control_of_its_own(lab: Handle) -> None:
    node_shells.controls_its_jobs(lab, "pc", ENV)


async def test_a_closed_terminal_ends_the_shell(lab: Handle) -> None:
    await node_shells.ends_with_its_terminal(lab, "pc", ENV)
